//! Messages in files: each behind its length.
//!
//! The form in which days of ITCH are published and parsers read them. Execution reports are kept
//! in the same form.

/// Bytes before each message.
pub const PREFIX_LEN_BYTES: usize = 2;

/// Returns what stands before a message of `len_bytes`: that length, big-endian.
///
/// # Panics
///
/// When the message is longer than a Soup packet can carry.
#[must_use]
pub const fn prefix(len_bytes: usize) -> [u8; PREFIX_LEN_BYTES] {
    assert!(len_bytes <= crate::soup::PAYLOAD_LEN_BYTES_MAX, "message longer than any stream's");
    // The assertion leaves all but the two low bytes zero.
    let [.., high, low] = len_bytes.to_be_bytes();
    [high, low]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prefix_does_not_count_itself() {
        assert_eq!(prefix(36), [0, 36]);
        assert_eq!(prefix(0x1234), [0x12, 0x34]);
    }
}
