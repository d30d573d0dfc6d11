//! Optional fields by number, for what [`Options`] does not name.
//!
//! Each element is a length byte, a tag and a value. What is put here is sent as it stands and is
//! for the venue to judge, so that a client can also send what a venue of another version knows.

use uncross_wire::ouch::appendage::{AppendageWriter, ELEMENTS_LEN_BYTES_MAX, Options, WriteError};

/// The elements of an appendage, in the order in which they are put.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Elements(Vec<u8>);

impl Elements {
    /// Bytes of value that one element holds.
    pub const VALUE_LEN_BYTES_MAX: usize = 254;

    /// Starts with none.
    #[must_use]
    pub const fn new() -> Self {
        Self(Vec::new())
    }

    /// Starts with the values present in `options`, by rising tag.
    ///
    /// # Errors
    ///
    /// Never for [`Options`] as they are; the writer's bounds are checked all the same.
    pub fn of(options: &Options) -> Result<Self, WriteError> {
        let mut buffer = [0; ELEMENTS_LEN_BYTES_MAX];
        let mut writer = AppendageWriter::new(&mut buffer);
        options.write(&mut writer)?;
        Ok(Self(writer.elements().to_vec()))
    }

    /// Appends an element; integers go as their big-endian bytes.
    ///
    /// # Errors
    ///
    /// The value exceeds [`Self::VALUE_LEN_BYTES_MAX`] bytes.
    pub fn put(&mut self, tag: u8, value: &[u8]) -> Result<(), WriteError> {
        let (max, found) = (Self::VALUE_LEN_BYTES_MAX, value.len());
        let length = u8::try_from(1 + found).or(Err(WriteError::TooLong { max, found }))?;
        self.0.extend_from_slice(&[length, tag]);
        self.0.extend_from_slice(value);
        Ok(())
    }

    /// Appends all of `others`.
    pub fn extend(&mut self, others: &Self) {
        self.0.extend_from_slice(&others.0);
    }

    /// Returns the bytes as they go to the wire, without their count.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use uncross_wire::ouch::appendage::tag;

    use super::*;

    #[test]
    fn elements_are_length_tag_and_value() {
        let options = Options { firm: Some(*b"ACME"), ..Options::default() };
        let mut elements = Elements::of(&options).unwrap();
        elements.put(tag::USER_REF_INDEX, &[5]).unwrap();
        let mut own = Elements::new();
        own.put(tag::GOOD_TILL_CANCEL, b"Y").unwrap();
        elements.extend(&own);
        assert_eq!(elements.as_bytes(), b"\x05\x02ACME\x02\x1c\x05\x02\x81Y");
        let error = WriteError::TooLong { max: 254, found: 255 };
        assert_eq!(elements.put(1, &[0; 255]), Err(error));
        elements.put(1, &[0; 254]).unwrap();
        assert_eq!(elements.as_bytes().len(), 12 + 256);
    }
}
