//! Which build this is, as journals note it.
//!
//! It depends on nothing but the sources and one variable of whoever builds, so that the same
//! sources and variable give the same program.

/// Bytes of it in a segment's header.
const LEN: usize = 32;

/// Version of the program, and behind a `+` the first characters of `UNCROSS_BUILD_ID` as far as
/// they fit, where that was set when the program was built. Zeros follow.
pub(crate) const BUILD_ID: [u8; LEN] =
    compose(concat!("uncross ", env!("CARGO_PKG_VERSION")), option_env!("UNCROSS_BUILD_ID"));

/// The same as text.
#[must_use]
pub fn build_text() -> String {
    let text = BUILD_ID.split(|byte| *byte == 0).next().unwrap_or_default();
    text.escape_ascii().to_string()
}

const fn compose(program: &str, id: Option<&str>) -> [u8; LEN] {
    let mut bytes = [0; LEN];
    let at = put(&mut bytes, 0, program.as_bytes());
    if let Some(id) = id
        && !id.is_empty()
    {
        let at = put(&mut bytes, at, b"+");
        put(&mut bytes, at, id.as_bytes());
    }
    bytes
}

/// Puts as much of `text` at `at` as there is room for; where the next text goes.
const fn put(bytes: &mut [u8; LEN], at: usize, text: &[u8]) -> usize {
    let mut count = 0;
    while count < text.len() && at + count < LEN {
        let byte = text[count];
        assert!(byte == b' ' || byte.is_ascii_graphic(), "a build is named by printable ASCII");
        bytes[at + count] = byte;
        count += 1;
    }
    at + count
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(id: Option<&str>) -> String {
        let bytes = compose("uncross 0.1.0", id);
        let end = bytes.iter().position(|byte| *byte == 0).unwrap_or(LEN);
        assert!(bytes[end..].iter().all(|byte| *byte == 0));
        String::from_utf8(bytes[..end].to_vec()).unwrap()
    }

    #[test]
    fn a_build_is_named_by_its_version_and_by_what_its_builder_says_as_far_as_that_fits() {
        assert_eq!(text(None), "uncross 0.1.0");
        assert_eq!(text(Some("")), "uncross 0.1.0");
        assert_eq!(text(Some("4a53490")), "uncross 0.1.0+4a53490");
        let commit = "0123456789abcdef0123456789abcdef01234567";
        assert_eq!(text(Some(commit)), "uncross 0.1.0+0123456789abcdef01");
    }

    #[test]
    #[should_panic(expected = "printable ASCII")]
    fn a_name_that_no_terminal_shows_ends_the_build() {
        let _ = compose("uncross 0.1.0", Some("a\nb"));
    }
}
