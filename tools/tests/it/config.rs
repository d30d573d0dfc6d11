//! `uncross config`

use crate::program::Place;

#[test]
fn printed_default_is_good() {
    let place = Place::empty();
    let text = place.run("config print-default").expect_success();
    assert!(text.starts_with("# The configuration of an Uncross venue."), "{text}");
    place.write("venue.toml", &text);
    place.run("config check venue.toml").expect_success();
    let json = place.run("config print-default --json").expect_json("uncross.config-default/1");
    assert_eq!(json.text("toml"), text);
}

#[test]
fn good_configuration_is_summed_up() {
    let place = Place::with_venue();
    let text = place.run("config check venue").expect_success();
    assert!(text.starts_with("venue/venue.toml is good\n"), "{text}");
    let json = place.run("config check venue --json").expect_json("uncross.config-check/1");
    assert_eq!(json.text("venue"), "UNCROSS");
    assert_eq!(json.text("orders"), "127.0.0.1:9001");
    assert_eq!(json.value("instruments").as_u64(), Some(5));
    assert_eq!(json.text("fingerprint").len(), 64);
    assert!(text.contains(json.text("fingerprint")));
}

#[test]
fn flags_win_over_variables_and_those_over_the_file() {
    let place = Place::with_venue();
    let name = |arguments: &str, variables: &[(&str, &str)]| {
        let arguments = format!("config check venue --json {arguments}");
        let run = place.run_with(&arguments, variables, "");
        run.expect_json("uncross.config-check/1").text("venue").to_owned()
    };
    let variable = [("UNCROSS__VENUE__NAME", "VARIABLE")];
    assert_eq!(name("", &[]), "UNCROSS");
    assert_eq!(name("", &variable), "VARIABLE");
    assert_eq!(name("--set venue.name=FLAG", &variable), "FLAG");
}

#[test]
fn each_fault_has_its_code() {
    let place = Place::empty();
    for (text, code, message) in [
        ("[venue]\nname =\n", "UX-C002", "bad.toml:2: syntax: "),
        ("[core]\npni = true\n", "UX-C003", "bad.toml:2: core.pni: unknown setting"),
        ("[core]\npin = 1\n", "UX-C005", "bad.toml:2: core.pin: expected true or false, found"),
        ("[core]\nspin = \"9s\"\n", "UX-C006", "bad.toml:2: core.spin: expected a duration in"),
        (
            "[journal]\nlevel = \"replicated\"\n",
            "UX-C007",
            "bad.toml:2: journal.level: \"replicated\" is",
        ),
        ("[session]\nconnections_max = 1\n", "UX-C008", "built-in default:"),
        ("[[instrument]]\nid = 1\n", "UX-C009", "bad.toml:1: instrument[0].symbol: missing"),
        (
            "[[instrument]]\nid = 1\nsymbol = \"A\"\n[[instrument]]\nid = 1\nsymbol = \"B\"\n",
            "UX-C010",
            "bad.toml:5: instrument[1].id: 1 is already the id of instrument[0]",
        ),
        ("[[instrument]]\nid = 0\nsymbol = \"A\"\n", "UX-C011", "bad.toml:1: instrument[0]: id"),
    ] {
        place.write("bad.toml", text);
        let found = place.run("config check bad.toml").expect_failure(3, code);
        assert!(found.starts_with(message), "{found}");
    }
    place.run("config check missing.toml").expect_failure(3, "UX-C001");
    place.write("good.toml", "");
    place.run("config check good.toml --set instrument.id=1").expect_failure(3, "UX-C004");
}

#[test]
fn fix_names_the_setting_that_was_meant() {
    let place = Place::with_venue();
    let run = place.run("config check venue --set core.pni=true");
    assert!(run.stderr.contains("fix: did you mean core.pin?"), "{run:?}");
    let run = place.run("config check venue --set journal.level=replicated");
    assert!(run.stderr.contains("fix: choose one of: async, group, sync"), "{run:?}");
}
