#![expect(unsafe_code, reason = "calls a function compiled for SSE 4.2 after detecting it")]
//! CRC32C (Castagnoli), plain for pages and chained for records.
//!
//! Short inputs go through the processor's own instruction without leaving the crate, because a
//! record is 60 bytes and a general library costs twice as much there; everything else goes
//! through `crc-fast`. Both give the same value on every input, which a test checks.

use crc_fast::{CrcAlgorithm, Digest};

/// Longest input for which the plain instruction loop beats folding.
#[cfg(target_arch = "x86_64")]
const SHORT_BYTES_MAX: usize = 256;

/// The plain CRC32C of `bytes`, as any other tool computes it.
pub(crate) fn plain(bytes: &[u8]) -> u32 {
    !update(u32::MAX, bytes)
}

/// The plain CRC32C of bytes whose beginning has the CRC32C `so_far` (0 when it is empty) and that
/// end with `bytes`.
#[must_use]
#[inline]
pub fn crc32c(so_far: u32, bytes: &[u8]) -> u32 {
    !update(!so_far, bytes)
}

/// The checksum of a record whose bytes after the checksum field are `covered`.
///
/// The register starts at the previous record's checksum mixed with the segment's salt. For a
/// fixed input the map from start to end of the register is a bijection, so a record validates
/// behind one predecessor only, but for one chance in 2^32.
pub(crate) fn chained(prev_crc: u32, salt: u64, covered: &[u8]) -> u32 {
    !update(seed(prev_crc, salt), covered)
}

/// As [`chained`], for the 60 bytes of a record of one slot, still in registers: the four bytes
/// behind the checksum, then seven words.
#[inline]
pub(crate) fn chained_slot(prev_crc: u32, salt: u64, head: u32, words: &[u64; 7]) -> u32 {
    let register = seed(prev_crc, salt);
    #[cfg(target_arch = "x86_64")]
    if is_x86_feature_detected!("sse4.2") {
        // SAFETY: the processor has SSE 4.2, as just detected; the function needs nothing else.
        return !unsafe { update_slot_sse42(register, head, words) };
    }
    let mut bytes = [0_u8; 60];
    let (first, rest) = bytes.split_at_mut(size_of::<u32>());
    first.copy_from_slice(&head.to_le_bytes());
    for (target, word) in rest.as_chunks_mut::<8>().0.iter_mut().zip(words) {
        *target = word.to_le_bytes();
    }
    !update_any(register, &bytes)
}

/// The start of the register: both halves of the salt and the previous checksum.
fn seed(prev_crc: u32, salt: u64) -> u32 {
    let bytes = salt.to_le_bytes();
    let (halves, _) = bytes.as_chunks::<4>();
    halves.iter().fold(prev_crc, |register, half| register ^ u32::from_le_bytes(*half))
}

#[cfg(target_arch = "x86_64")]
#[inline]
fn update(register: u32, bytes: &[u8]) -> u32 {
    if bytes.len() <= SHORT_BYTES_MAX && is_x86_feature_detected!("sse4.2") {
        // SAFETY: the processor has SSE 4.2, as just detected; the function needs nothing else.
        unsafe { update_sse42(register, bytes) }
    } else {
        update_any(register, bytes)
    }
}

#[cfg(not(target_arch = "x86_64"))]
fn update(register: u32, bytes: &[u8]) -> u32 {
    update_any(register, bytes)
}

/// Folds `bytes` into the register on any processor.
fn update_any(register: u32, bytes: &[u8]) -> u32 {
    let mut digest = Digest::new_with_init_state(CrcAlgorithm::Crc32Iscsi, u64::from(register));
    digest.update(bytes);
    low_half(digest.get_state())
}

/// Folds `bytes` into the register, eight at a time.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "sse4.2")]
fn update_sse42(register: u32, bytes: &[u8]) -> u32 {
    use std::arch::x86_64::{_mm_crc32_u8, _mm_crc32_u32, _mm_crc32_u64};
    // Four bytes first: a record covers 60, so the rest then falls on whole words.
    let (fours, rest) = bytes.split_at(bytes.len() % 8 / 4 * 4);
    let (words, tail) = rest.as_chunks::<8>();
    let mut register = register;
    if let Some(four) = fours.first_chunk::<4>() {
        register = _mm_crc32_u32(register, u32::from_le_bytes(*four));
    }
    let mut wide = u64::from(register);
    for word in words {
        wide = _mm_crc32_u64(wide, u64::from_le_bytes(*word));
    }
    register = low_half(wide);
    for byte in tail {
        register = _mm_crc32_u8(register, *byte);
    }
    register
}

/// Folds one slot into the register.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "sse4.2")]
fn update_slot_sse42(register: u32, head: u32, words: &[u64; 7]) -> u32 {
    use std::arch::x86_64::{_mm_crc32_u32, _mm_crc32_u64};
    let wide = u64::from(_mm_crc32_u32(register, head));
    low_half(words.iter().fold(wide, |register, word| _mm_crc32_u64(register, *word)))
}

/// The register out of the 64 bits both sources keep it in; the upper half is zero.
#[expect(clippy::cast_possible_truncation, reason = "the upper half is zero, asserted here")]
fn low_half(wide: u64) -> u32 {
    debug_assert!(wide >> 32 == 0, "a CRC32 register has 32 bits");
    wide as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Bit by bit from the polynomial: the model for everything above.
    fn update_model(register: u32, bytes: &[u8]) -> u32 {
        let mut register = register;
        for byte in bytes {
            register ^= u32::from(*byte);
            for _ in 0..8 {
                let carry = register & 1;
                register >>= 1;
                if carry == 1 {
                    register ^= 0x82F6_3B78;
                }
            }
        }
        register
    }

    #[test]
    fn plain_matches_the_published_check_value() {
        assert_eq!(plain(b"123456789"), 0xE306_9283);
    }

    #[test]
    fn a_checksum_goes_on_where_it_was_left() {
        let bytes: Vec<u8> = (0..=255).cycle().take(3_000).collect();
        for cut in [0, 1, 3, 64, 300, 2_999, 3_000] {
            let (front, back) = bytes.split_at(cut);
            assert_eq!(crc32c(crc32c(0, front), back), plain(&bytes), "cut at {cut}");
        }
    }

    #[test]
    fn both_paths_equal_the_bitwise_model_at_every_length() {
        // Lengths that Miri looks at: on both sides of where another path begins.
        let (longest, step) = if cfg!(miri) { (300, 23) } else { (700, 1) };
        let bytes: Vec<u8> = (0..longest).map(|i: u32| (i * 31 % 251).to_le_bytes()[0]).collect();
        for len in (0..bytes.len()).step_by(step) {
            let expected = update_model(0x1234_5678, &bytes[..len]);
            assert_eq!(update(0x1234_5678, &bytes[..len]), expected, "len {len}");
            assert_eq!(update_any(0x1234_5678, &bytes[..len]), expected, "len {len}");
        }
    }

    #[test]
    fn another_predecessor_or_salt_gives_another_checksum() {
        let covered = [7_u8; 60];
        let reference = chained(1, 2, &covered);
        assert_ne!(chained(2, 2, &covered), reference);
        assert_ne!(chained(1, 3, &covered), reference);
        assert_ne!(chained(1, 2 << 32, &covered), chained(1, 3 << 32, &covered));
    }
}
