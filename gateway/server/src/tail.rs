//! What tells an order apart where its number does not: elements behind a report.
//!
//! Clients that use neither channels nor orders of earlier days never see any.

use uncross_engine::event::Head;
use uncross_wire::ouch::appendage::{AppendageWriter, Options};

/// Bytes of the length in front of the elements.
const LEN_BYTES: usize = 2;
/// Bytes of the elements of a restatement, the longest there are: tags 1, 22, 23 and 28.
const ELEMENTS_LEN_MAX: usize = 10 + 6 + 10 + 3;

/// Elements of a report, with their length in front.
#[derive(Debug)]
pub(crate) struct Tail {
    bytes: [u8; LEN_BYTES + ELEMENTS_LEN_MAX],
    len: usize,
}

impl Tail {
    /// Of a report about the order of `head`: its channel, and its reference when it has no number.
    pub(crate) fn about(head: &Head, channel: u8, order_ref: u64) -> Self {
        Self::of(channel, (head.user_ref_num == 0).then_some(order_ref))
    }

    /// Of a report about a number of `channel`, or about an order known by its reference only.
    pub(crate) fn of(channel: u8, secondary_order_reference: Option<u64>) -> Self {
        let user_ref_index = (channel != 0).then_some(channel);
        if user_ref_index.is_none() && secondary_order_reference.is_none() {
            return Self { bytes: [0; LEN_BYTES + ELEMENTS_LEN_MAX], len: 0 };
        }
        Self::with(&Options { secondary_order_reference, user_ref_index, ..Options::default() })
    }

    /// Of the options given, which fit by the constant above.
    pub(crate) fn with(options: &Options) -> Self {
        let mut bytes = [0; LEN_BYTES + ELEMENTS_LEN_MAX];
        let (head, room) = bytes.split_at_mut(LEN_BYTES);
        let mut writer = AppendageWriter::new(room);
        let written = options.write(&mut writer);
        assert!(written.is_ok(), "elements of a report that do not fit");
        let len = writer.elements().len();
        head.copy_from_slice(&u16::try_from(len).unwrap_or(u16::MAX).to_be_bytes());
        Self { bytes, len }
    }

    /// The elements, for a message with a field for their length.
    pub(crate) fn elements(&self) -> &[u8] {
        &self.bytes[LEN_BYTES..LEN_BYTES + self.len]
    }

    /// The elements behind their length, for a message without such a field; nothing when there
    /// are none.
    pub(crate) fn with_len(&self) -> &[u8] {
        if self.len == 0 { &[] } else { &self.bytes[..LEN_BYTES + self.len] }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_known_by_its_number_in_channel_0_has_no_tail() {
        let tail = Tail::of(0, None);
        assert!(tail.elements().is_empty() && tail.with_len().is_empty());
    }

    #[test]
    fn channel_and_reference_are_elements_by_rising_tag() {
        let tail = Tail::of(7, Some(0x0102_0304_0506_0708));
        let elements = [9, 1, 1, 2, 3, 4, 5, 6, 7, 8, 2, 28, 7];
        assert_eq!(tail.elements(), elements);
        assert_eq!(tail.with_len()[..2], [0, 13]);
        assert_eq!(tail.with_len()[2..], elements);
    }

    #[test]
    fn the_longest_tail_fits() {
        let options = Options {
            secondary_order_reference: Some(1),
            display_quantity: Some(2),
            display_price: Some(3),
            user_ref_index: Some(4),
            ..Options::default()
        };
        assert_eq!(Tail::with(&options).elements().len(), ELEMENTS_LEN_MAX);
    }
}
