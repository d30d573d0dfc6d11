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
        ("[journal]\nlevel = \"replicated\"\n", "UX-C007", "bad.toml:2: journal.level: "),
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

#[test]
fn settings_are_explained_with_value_and_source() {
    let place = Place::with_venue();
    let all = place.run("config explain --json").expect_json("uncross.config-explain/1");
    let all = all.value("settings").as_array().unwrap();
    let defaults = place.run("config print-default").expect_success();
    for line in defaults.lines().take_while(|line| !line.starts_with("[[")) {
        let Some((key, _)) = line.split_once(" = ").filter(|(key, _)| !key.starts_with('#')) else {
            continue;
        };
        let is_it = |each: &&serde_json::Value| {
            each["key"].as_str().unwrap().split('.').next_back() == Some(key)
        };
        let setting = all.iter().find(is_it).unwrap_or_else(|| panic!("{key} is not explained"));
        assert_eq!(setting["source"].as_str(), Some("default"));
        for part in ["value", "default", "bounds", "meaning"] {
            assert_ne!(setting[part].as_str().unwrap(), "", "{part} of {key}");
        }
    }

    let whence = |arguments: &str, variables: &[(&str, &str)]| {
        let arguments = format!("config explain core.spin --venue venue {arguments}");
        let text = place.run_with(&arguments, variables, "").expect_success();
        let lines: Vec<_> = text.lines().map(str::trim).map(str::to_owned).collect();
        (lines[0].clone(), lines[1].clone())
    };
    let text = place.read("venue/venue.toml").replace("spin = \"50us\"", "spin = \"70us\"");
    place.write("venue/venue.toml", &text);
    let line = 1 + text.lines().position(|line| line.starts_with("spin = ")).unwrap();
    let expected = ("core.spin = \"70us\"".to_owned(), format!("from     venue/venue.toml:{line}"));
    assert_eq!(whence("", &[]), expected);
    let variable = [("UNCROSS__CORE__SPIN", "1000us")];
    let expected = ("core.spin = \"1ms\"".to_owned(), "from     UNCROSS__CORE__SPIN".to_owned());
    assert_eq!(whence("", &variable), expected);
    let expected = ("core.spin = \"2ms\"".to_owned(), "from     --set".to_owned());
    assert_eq!(whence("--set core.spin=2ms", &variable), expected);

    let section = place.run("config explain session").expect_success();
    assert!(section.contains("session.lag_max = \"4MiB\"\n"), "{section}");
    assert!(!section.contains("core."), "{section}");
    let lot = place.run("config explain instrument.COIN.lot").expect_success();
    assert!(lot.starts_with("instrument.COIN.lot = \"0.001\"\n"), "{lot}");
    place.run("config explain sess").expect_failure(3, "UX-C003");
    place.run("config explain core.spin --set core.spin=1h").expect_failure(3, "UX-C006");
}

#[test]
fn configurations_are_compared_by_meaning() {
    let place = Place::with_venue();
    assert_eq!(place.run("config diff default venue").expect_success(), "no setting differs\n");
    let text = place.read("venue/venue.toml");
    let text = text.replace("flush_interval = \"5ms\"", "flush_interval = \"5000us\"");
    let text = text.replace("ports = 256", "ports = \"1k\"");
    place.write("other.toml", &text);
    let json = place.run("config diff venue other.toml --json");
    let json = json.expect_json("uncross.config-diff/1");
    let differences = json.value("differences").to_string();
    assert_eq!(differences, r#"[{"a":"256","b":"1000","key":"capacity.ports"}]"#);
    place.write("one.toml", "[[instrument]]\nid = 1\nsymbol = \"DEMO\"\n");
    let text = place.run("config diff venue one.toml").expect_success();
    let row = text.lines().find(|line| line.starts_with("instrument.COIN.tick ")).unwrap();
    assert_eq!(row.split_whitespace().skip(1).collect::<Vec<_>>(), ["\"0.01\"", "-"]);
    place.run("config diff venue nowhere.toml").expect_failure(3, "UX-C001");
}
