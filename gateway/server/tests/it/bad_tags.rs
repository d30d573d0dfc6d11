//! Every tag behind every client message, in every wrong form; and values that do not go together.

use uncross_wire::ouch::{appendage::TAGS, inbound::Inbound};

use crate::{
    bad_input::{Duo, KINDS, PX, message},
    harness::{enter, reject_code, with_appendage},
};

/// A tag with a value, and the code with which a new order for the day is refused; 0: none.
const VALUES: [(u8, &[u8], u16); 30] = [
    (1, &[0; 8], 0x0F),
    (2, b"FIRM", 0),
    (3, &[0, 0, 0, 1], 0x0D),
    (4, b"R", 0),
    (5, &[0, 0, 0, 1], 0x04),
    (6, b"L", 0),
    (7, &[0, 0, 0, 1], 0x05),
    (9, &[0; 8], 0x0F),
    (10, b"L", 0x0F),
    (11, &[0; 4], 0x0F),
    (12, b"N", 0),
    (13, &[0; 4], 0x0F),
    (14, b"SCAN", 0x16),
    (15, &[0, 0, 0, 1], 0x0F),
    (16, b"Y", 0),
    (17, b" ", 0),
    (18, b"0", 0x0F),
    (19, &[0; 8], 0x0F),
    (20, b"L", 0x0F),
    (22, &[0; 4], 0x0F),
    (23, &[0; 8], 0x0F),
    (24, &[0; 2], 0x0F),
    (25, b"Y", 0),
    (26, b"BRKR", 0),
    (27, b"S", 0x0F),
    (28, &[0], 0),
    (29, b"O", 0),
    (30, &[0, 7], 0),
    (128, &[0; 8], 0x0F),
    (129, b"Y", 0),
];

fn element(tag: u8, value: &[u8]) -> Vec<u8> {
    [&[u8::try_from(value.len() + 1).unwrap(), tag][..], value].concat()
}

/// What a message with these elements must lead to: the type of its first answer and, where it is
/// a rejection, the code.
fn answer(kind: u8, code: u16) -> (u8, u16) {
    match (kind, code) {
        (b'Q', _) => (b'Q', 0),
        (b'O', 0) => (b'A', 0),
        (b'U', 0) => (b'U', 0),
        (b'X', 0) | (b'U', _) => (b'C', 0),
        (b'M', 0) => (b'M', 0),
        (b'X' | b'M', _) => (b'I', 0),
        (b'C', 0) => (b'X', 0),
        (b'D', 0) => (b'G', 0),
        (b'E', 0) => (b'K', 0),
        (_, code) => (b'J', code),
    }
}

impl Duo {
    /// Sends the message about a fresh order and looks at its answer; then all is as before.
    fn try_elements(&mut self, kind: u8, elements: &[u8], code: u16) {
        let context = format!("{} {}", char::from(kind), elements.escape_ascii());
        let live = self.live();
        let number = live + 1;
        self.alice.ouch(&message(kind, number, live, elements));
        let told = self.alice.sync();
        if kind == b'Q' {
            // All but the time stamps.
            assert_eq!(self.alice.message()[9..], told[0][9..], "{context}");
        }
        let (expected, code) = answer(kind, code);
        assert_eq!(told[0][0], expected, "{context}");
        if expected == b'J' {
            assert_eq!(reject_code(&told[0], number), code, "{context}");
        }
        if (kind, expected) == (b'U', b'C') {
            assert_eq!(told[0][17], b'Z', "{context}");
        }
        // A replace that fails by its values consumes no number; every other refusal does.
        let is_consumed = b"OCDE".contains(&kind) || (kind, expected) == (b'U', b'U');
        let next = if is_consumed { number + 1 } else { number };
        let query = told.iter().find(|it| it[0] == b'Q').unwrap();
        assert_eq!(query[9..13], next.to_be_bytes(), "{context}: the next number");
        self.number = next - 1;
        // Order entry is on again and nothing rests, and that needs no more than valid messages.
        for kind in *b"EC" {
            let number = self.next();
            self.alice.ouch(&message(kind, number, 0, b""));
        }
        let told = self.alice.sync();
        let kinds: Vec<u8> = told.iter().map(|it| it[0]).filter(|&it| it != b'C').collect();
        assert_eq!(kinds, b"KXQ", "{context}");
    }
}

#[test]
fn every_tag_behind_every_message_has_its_answer_in_every_form() {
    assert_eq!(
        VALUES.map(|(tag, ..)| tag)[..],
        TAGS.iter().map(|it| it.number).collect::<Vec<_>>()
    );
    let mut duo = Duo::start();
    for kind in KINDS {
        let bytes = message(kind, 1, 1, b"");
        let allowed = Inbound::decode(&bytes).unwrap().allowed_tags();
        for (tag, value, code) in VALUES {
            let good = element(tag, value);
            let code = match (kind, tag) {
                _ if !allowed.contains(tag) => 0x0F,
                // Of a mass cancel the side is offered and the group is not; with a number a
                // reference is one name too many.
                (b'C', 27) => 0,
                _ => code,
            };
            duo.try_elements(kind, &good, code);
            let wide = element(tag, &[value, b"\0"].concat());
            let narrow = element(tag, &value[..value.len() - 1]);
            let twice = [&good[..], &good].concat();
            let cut_off = &good[..good.len() - 1];
            let beyond = [&[good[0] + 1], &good[1..]].concat();
            for bad in [&wide[..], &narrow, &twice, cut_off, &beyond, &[&good[..], &[0]].concat()] {
                duo.try_elements(kind, bad, 0x0F);
            }
        }
        for bad in [&b"\x02\x00x"[..], b"\x02\x08x", b"\x02\x15x", b"\x02\x1fx", b"\x02\x7fx"] {
            duo.try_elements(kind, bad, 0x0F);
        }
        for bad in [&b"\x02\x82x"[..], b"\x02\xffx", b"\x00", b"\x01", b"\x01\x04", b"\xff"] {
            duo.try_elements(kind, bad, 0x0F);
        }
    }
    duo.check("after all");
    duo.finish();
}

/// Time in force, display, price and elements of an order of five, and the code; 0: accepted.
const TOGETHER: &[(u8, u8, u64, &[u8], u16)] = &[
    (b'0', b'Z', PX, b"", 0x03),
    (b'3', b'Z', PX, b"", 0x03),
    (b'0', 0, PX, b"", 0x03),
    (b'0', b'y', PX, b"", 0x03),
    // Market prices rest nowhere.
    (b'0', b'Y', 2_000_000_000, b"", 0x2C),
    (b'0', b'Y', 0x7FFF_FFFF, b"", 0x2C),
    (b'0', b'N', 0x7FFF_FFFF, b"", 0x2C),
    (b'0', b'Y', 0x7FFF_FFFF, b"\x02\x81Y", 0x2C),
    (b'0', b'Y', 0x7FFF_FFFF, b"\x02\x0cP", 0x2C),
    (b'3', b'Y', 2_000_000_000, b"", 0),
    (b'3', b'Y', 0x7FFF_FFFF, b"", 0),
    (b'3', b'Y', 0x7FFF_FFFF, b"\x02\x0cP", 0x0F),
    (b'5', b'Y', 0x7FFF_FFFF, b"", 0x0F),
    (b'6', b'Y', 0x7FFF_FFFF, b"", 0x0F),
    (b'6', b'Y', 0x7FFF_FFFF, b"\x05\x0f\0\0\0\x09", 0x2C),
    (b'E', b'Y', 0x7FFF_FFFF, b"", 0x0F),
    // Beside and beyond them nothing is a price.
    (b'3', b'Y', 1_999_999_999, b"", 0x1D),
    (b'3', b'Y', 2_000_000_001, b"", 0x1D),
    (b'3', b'Y', 0x8000_0000, b"", 0x1D),
    (b'3', b'Y', u32::MAX as u64, b"", 0x1D),
    (b'3', b'Y', (1 << 32) + 0x7FFF_FFFF, b"", 0x1D),
    (b'3', b'Y', u64::MAX, b"", 0x1D),
    // Good till cancel is for day orders.
    (b'0', b'Y', PX, b"\x02\x81Y", 0),
    (b'3', b'Y', PX, b"\x02\x81Y", 0x0F),
    (b'6', b'Y', PX, b"\x02\x81Y\x05\x0f\0\0\0\x09", 0x0F),
    (b'5', b'Y', PX, b"\x02\x81Y", 0x0F),
    (b'3', b'Y', PX, b"\x02\x81N", 0),
    // Post-only is for what may rest.
    (b'3', b'Y', PX, b"\x02\x0cP", 0x0F),
    (b'0', b'N', PX, b"\x02\x0cP", 0),
    (b'6', b'Y', PX, b"\x02\x0cP\x05\x0f\0\0\0\x09", 0),
    // A minimum quantity is of what may not.
    (b'0', b'Y', PX, b"\x05\x03\0\0\0\x05", 0x0D),
    (b'6', b'Y', PX, b"\x05\x03\0\0\0\x05\x05\x0f\0\0\0\x09", 0x0D),
    (b'3', b'Y', PX, b"\x05\x03\0\0\0\x06", 0x0D),
    (b'3', b'Y', PX, b"\x05\x03\xff\xff\xff\xff", 0x0D),
    (b'3', b'Y', PX, b"\x05\x03\0\0\0\x00", 0x0D),
    (b'3', b'Y', PX, b"\x05\x03\0\0\0\x05", 0),
    // A time is of an order until that time.
    (b'0', b'Y', PX, b"\x05\x0f\0\0\0\x09", 0x0F),
    (b'3', b'Y', PX, b"\x05\x0f\0\0\0\x09", 0x0F),
    (b'0', b'Y', PX, b"\x05\x0f\0\0\0\0", 0x0F),
    (b'6', b'Y', PX, b"\x05\x0f\0\x01\x51\x80", 0x0F),
    // Firms and strategies that are none.
    (b'0', b'Y', PX, b"\x05\x02\0\0\0\0", 0x0C),
    (b'0', b'Y', PX, b"\x05\x02firm", 0x0C),
    (b'0', b'Y', PX, b"\x02\x1d\0", 0x0F),
    (b'0', b'Y', PX, b"\x02\x1dN", 0x0F),
    (b'0', b'Y', PX, b"\x02\x81\0", 0x0F),
    // A group without a strategy, and the other way about.
    (b'0', b'Y', PX, b"\x03\x1e\xff\xff", 0),
    (b'0', b'Y', PX, b"\x02\x1dd", 0),
];

#[test]
fn values_that_do_not_go_together_are_refused_and_the_rest_is_accepted() {
    let mut duo = Duo::start();
    for &(time_in_force, display, price, elements, code) in TOGETHER {
        let context = format!(
            "{} {} {price} {}",
            time_in_force.escape_ascii(),
            display.escape_ascii(),
            elements.escape_ascii()
        );
        let number = duo.next();
        let mut order = enter(number, b'S', 5, price);
        (order.time_in_force, order.display) = (time_in_force, display);
        duo.alice.ouch(&with_appendage(order, elements));
        let told = duo.alice.message();
        if code == 0 {
            assert_eq!(told[0], b'A', "{context}");
        } else {
            assert_eq!(reject_code(&told, number), code, "{context}");
        }
    }
    duo.check("after all");
    duo.finish();
}

#[test]
fn a_replace_by_what_no_order_may_be_cancels_the_order() {
    let mut duo = Duo::start();
    for &(time_in_force, display, price, elements, code) in TOGETHER {
        // Of a replace tag 2 is another fault, and price and time may be those of a market order.
        if elements.starts_with(b"\x05\x02") {
            continue;
        }
        let context = format!("{} {price} {}", display.escape_ascii(), elements.escape_ascii());
        let live = duo.live();
        let mut bytes = message(b'U', live + 1, live, elements);
        bytes[13..21].copy_from_slice(&price.to_be_bytes());
        (bytes[21], bytes[22]) = (time_in_force, display);
        duo.alice.ouch(&bytes);
        let told = duo.alice.message();
        if code == 0 {
            assert_eq!(told[0], b'U', "{context}");
            duo.number += 1;
        } else {
            assert_eq!((told[0], told[17]), (b'C', b'Z'), "{context}");
        }
        duo.check(&context);
    }
    duo.finish();
}

#[test]
fn a_symbol_or_firm_that_is_not_blank_is_not_taken_for_blank() {
    let mut duo = Duo::start();
    let live = duo.live();
    let cases: [(&[u8], &[u8], u16); 7] = [
        (b"    ", b"\t\t\t\t\t\t\t\t", 0x17),
        (b"    ", b"\0\0\0\0\0\0\0\0", 0x17),
        (b"    ", b"demo    ", 0x17),
        (b"    ", b" DEMO   ", 0x17),
        (b"\n\n\n\n", b"DEMO    ", 0x0C),
        (b"\0\0\0\0", b"        ", 0x0C),
        (b"firm", b"        ", 0x0C),
    ];
    for (firm, symbol, code) in cases {
        let number = duo.next();
        duo.alice.ouch(&[b"C", &number.to_be_bytes()[..], firm, symbol, b"\0\0"].concat());
        let told = duo.alice.message();
        assert_eq!(reject_code(&told, number), code, "{}", symbol.escape_ascii());
        if firm != b"    " {
            for kind in [b"D", b"E"] {
                let number = duo.next();
                duo.alice.ouch(&[&kind[..], &number.to_be_bytes(), firm, b"\0\0"].concat());
                assert_eq!(reject_code(&duo.alice.message(), number), 0x0C);
            }
        }
    }
    duo.alice.ouch(&message(b'X', 0, live, b""));
    assert_eq!(duo.alice.message()[0], b'C', "it stood until now");
    duo.check("after all");
    duo.finish();
}
