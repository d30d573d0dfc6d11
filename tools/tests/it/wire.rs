//! What every option of the order commands puts on the wire, byte by byte.

use crate::fake::{self, NEXT};

const DECIMALS: &str = "--price-decimals 4 --qty-decimals 0";

/// Runs a command that works, and gives the one request in it.
fn sent(arguments: &str) -> Vec<u8> {
    let (run, mut noted) = fake::run(arguments);
    run.expect_success();
    // The question before it and the one behind it.
    assert_eq!(noted.len(), 3, "{noted:?}");
    assert_eq!((noted[0][0], noted[2].as_slice()), (b'Q', &b"Q"[..]));
    noted.remove(1)
}

fn order(options: &str) -> Vec<u8> {
    sent(&format!("order buy DEMO 100 @ 10.05 {DECIMALS} {options}"))
}

/// The appendage of an order.
fn tags(options: &str) -> Vec<u8> {
    let request = order(options);
    let (count, elements) = request[45..].split_at(2);
    assert_eq!(usize::from(u16::from_be_bytes([count[0], count[1]])), elements.len());
    elements.to_vec()
}

#[test]
fn a_plain_order_is_a_visible_day_order_of_an_agent() {
    let number = NEXT.to_be_bytes();
    let (quantity, price) = (100_u32.to_be_bytes(), 100_500_u64.to_be_bytes());
    let expected = [
        b"O",
        &number[..],
        b"B",
        &quantity,
        b"DEMO    ",
        &price,
        b"0YANN",
        b"              ",
        &[0, 0],
    ];
    assert_eq!(order(""), expected.concat());
}

#[test]
fn fields_of_one_letter_say_what_was_asked() {
    for (side, letter) in [
        ("buy", b'B'),
        ("sell", b'S'),
        ("sell-short", b'T'),
        ("short", b'T'),
        ("sell-exempt", b'E'),
        ("exempt", b'E'),
    ] {
        assert_eq!(sent(&format!("order {side} DEMO 1 @ 1 {DECIMALS}"))[5], letter, "{side}");
    }
    for (options, at, letter) in [
        ("--tif day", 26, b'0'),
        ("--tif ioc", 26, b'3'),
        ("--ioc", 26, b'3'),
        ("--tif fok", 26, b'3'),
        ("--tif gtt --for 30s", 26, b'6'),
        ("--for 30s", 26, b'6'),
        ("--tif gtc", 26, b'0'),
        ("--tif extended", 26, b'5'),
        ("--tif after", 26, b'E'),
        ("--display visible", 27, b'Y'),
        ("--display hidden", 27, b'N'),
        ("--display attributable", 27, b'A'),
        ("--capacity agency", 28, b'A'),
        ("--capacity principal", 28, b'P'),
        ("--capacity riskless", 28, b'R'),
        ("--capacity other", 28, b'O'),
        ("--sweep", 29, b'Y'),
        ("--cross N", 30, b'N'),
        ("--cross O", 30, b'O'),
        ("--cross A", 30, b'A'),
    ] {
        assert_eq!(order(options)[at], letter, "{options}");
    }
    assert_eq!(order("--id first")[31..45], *b"first         ");
    assert_eq!(order("--cl-ord-id first")[31..45], *b"first         ");
}

#[test]
fn a_market_order_has_the_market_price_and_is_immediate() {
    let market = sent(&format!("order buy DEMO 100 @ market {DECIMALS}"));
    assert_eq!(market[18..27], *b"\0\0\0\0\x77\x35\x94\x003");
    let day = sent(&format!("order buy DEMO 100 MARKET --tif day {DECIMALS}"));
    assert_eq!(day[26], b'0', "what is asked for is sent");
}

#[test]
fn optional_fields_have_their_tags_and_widths() {
    for (options, expected) in [
        ("", &b""[..]),
        ("--min-qty 40 --ioc", b"\x05\x03\0\0\0\x28"),
        ("--tif fok", b"\x05\x03\0\0\0\x64"),
        ("--for 30s", b"\x05\x0f\0\0\0\x1e"),
        ("--for 1h", b"\x05\x0f\0\0\x0e\x10"),
        ("--post-only", b"\x02\x0cP"),
        ("--max-floor 10", b"\x05\x05\0\0\0\x0a"),
        ("--firm ACME", b"\x05\x02ACME"),
        ("--customer-type retail", b"\x02\x04R"),
        ("--customer-type not-retail", b"\x02\x04N"),
        ("--trade-now yes", b"\x02\x10Y"),
        ("--trade-now no", b"\x02\x10N"),
        ("--handle-inst I", b"\x02\x11I"),
        ("--group 258", b"\x03\x18\x01\x02"),
        ("--shares-located yes", b"\x02\x19Y"),
        ("--locate-broker AB", b"\x05\x1aAB  "),
        ("--channel 5", b"\x02\x1c\x05"),
        ("--stp oldest", b"\x02\x1dO"),
        ("--stp newest", b"\x02\x1dW"),
        ("--stp decrement", b"\x02\x1dD"),
        ("--stp decrement-quietly", b"\x02\x1dY"),
        ("--stp org-oldest", b"\x02\x1do"),
        ("--stp org-newest", b"\x02\x1dw"),
        ("--stp org-decrement", b"\x02\x1dd"),
        ("--stp org-decrement-quietly", b"\x02\x1dy"),
        ("--stp-group 772", b"\x03\x1e\x03\x04"),
        ("--tif gtc", b"\x02\x81Y"),
        ("--tag 6=L", b"\x02\x06L"),
        ("--tag 7=0xffffff9c --tag 6=R", b"\x05\x07\xff\xff\xff\x9c\x02\x06R"),
        ("--tag 200=", b"\x01\xc8"),
        ("--post-only --tif gtc --channel 1 --tag 6=L", b"\x02\x0cP\x02\x81Y\x02\x1c\x01\x02\x06L"),
    ] {
        assert_eq!(tags(options), expected, "{options}");
    }
}

#[test]
fn a_channel_is_asked_for_its_own_next_number() {
    let (run, noted) = fake::run(&format!("order buy DEMO 1 @ 1 {DECIMALS} --channel 5"));
    run.expect_success();
    assert_eq!(noted[0], b"Q\0\x03\x02\x1c\x05");
    let (run, noted) = fake::run("query --channel 5 --json");
    let json = run.expect_json("uncross.query/1");
    assert_eq!((json.number("next_user_ref_num"), json.text("session")), (NEXT.into(), "DAY1"));
    assert_eq!(noted, [b"Q\0\x03\x02\x1c\x05"]);
}

#[test]
fn changes_name_their_order_and_carry_what_they_may() {
    let nine = 9_u32.to_be_bytes();
    let replace = |options: &str| sent(&format!("replace 3 9 @ 11 {DECIMALS} {options}"));
    let price = 110_000_u64.to_be_bytes();
    let old = 3_u32.to_be_bytes();
    let head = [b"U", &old[..], &NEXT.to_be_bytes(), &nine, &price].concat();
    assert_eq!(replace(""), [&head[..], b"0YN", &[b' '; 14], &[0, 0]].concat());
    let options = "--tif ioc --display hidden --sweep --id x --side sell-short --stp newest";
    let tail = [b"3NYx", &[b' '; 13][..], b"\0\x06\x02\x1dW\x02\x1bT"].concat();
    assert_eq!(replace(options), [head, tail].concat());

    assert_eq!(sent("cancel 3"), [b"X", &old[..], &[0; 4]].concat());
    let to = sent(&format!("cancel 3 --to 9 {DECIMALS} --channel 2"));
    assert_eq!(to, [b"X", &old[..], &nine, b"\0\x03\x02\x1c\x02"].concat());
    let reference = sent("cancel --reference 72623859790382856");
    let expected = [b"X", &[0; 8][..], b"\0\x0a\x09\x80\x01\x02\x03\x04\x05\x06\x07\x08"];
    assert_eq!(reference, expected.concat());

    let modify = sent(&format!("modify 3 sell-exempt 9 {DECIMALS}"));
    assert_eq!(modify, [b"M", &old[..], b"E", &nine].concat());
    let options = "--shares-located no --locate-broker AB";
    let modify = sent(&format!("modify 3 sell-short 9 {DECIMALS} {options}"));
    let tail = b"\0\x09\x02\x19N\x05\x1aAB  ";
    assert_eq!(modify, [b"M", &old[..], b"T", &nine, tail].concat());
}

#[test]
fn requests_about_many_orders_name_their_scope() {
    let number = NEXT.to_be_bytes();
    let all = sent("mass-cancel");
    assert_eq!(all, [b"C", &number[..], &[b' '; 12], &[0, 0]].concat());
    let some = sent("mass-cancel --symbol DEMO --firm ACME --side sell --group 1");
    let tail = b"\0\x07\x03\x18\0\x01\x02\x1bS";
    assert_eq!(some, [b"C", &number[..], b"ACMEDEMO    ", tail].concat());
    assert_eq!(sent("disable"), [b"D", &number[..], b"    \0\0"].concat());
    assert_eq!(sent("enable --firm ACME"), [b"E", &number[..], b"ACME\0\0"].concat());
}

#[test]
fn options_that_contradict_each_other_are_refused() {
    for options in [
        "--tif day --ioc",
        "--tif gtt",
        "--tif day --for 5s",
        "--ioc --for 5s",
        "--for 500ms",
        "--for 24h",
        "--tif fok --min-qty 5",
        "--tag 6",
        "--tag 256=L",
        "--handle-inst IO",
        "--cross Z",
    ] {
        let arguments = format!("order buy DEMO 1 @ 1 {DECIMALS} {options}");
        let place = crate::program::Place::empty();
        place.write("password.txt", "secret");
        let login = "--orders 127.0.0.1:1 --user ACME --password-file password.txt";
        place.run(&format!("{arguments} {login}")).expect_failure(2, "UX-U001");
    }
    let place = crate::program::Place::empty();
    place.write("password.txt", "secret");
    for arguments in ["cancel", "cancel 1 --reference 2", "cancel --reference 2 --channel 1"] {
        let login = "--user ACME --password-file password.txt";
        place.run(&format!("{arguments} {login}")).expect_failure(2, "UX-U001");
    }
}
