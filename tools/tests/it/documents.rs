//! Documents that name tests and codes: each of them exists.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

use crate::program::Place;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

/// Every test of the tree as `module::name`, where the module is the file or, of `tests.rs`, its
/// folder.
fn tests() -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let mut folders = vec![root()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_str().unwrap();
            if path.is_dir() && !name.starts_with('.') && name != "target" {
                folders.push(path);
            } else if let Some(stem) = name.strip_suffix(".rs") {
                let folder = path.parent().unwrap().file_name().unwrap().to_str().unwrap();
                let module = if stem == "tests" { folder } else { stem };
                let text = fs::read_to_string(&path).unwrap();
                found.extend(names(&text).map(|name| format!("{module}::{name}")));
            }
        }
    }
    found
}

/// The functions of a file that are tests.
fn names(text: &str) -> impl Iterator<Item = &str> {
    let mut is_test = false;
    text.lines().filter_map(move |line| {
        let line = line.trim();
        if line.starts_with("#[test]") || line.starts_with("#[cfg_attr(miri") {
            is_test = true;
        }
        let name = line.strip_prefix("fn ")?.split('(').next()?;
        std::mem::take(&mut is_test).then_some(name)
    })
}

/// The texts between backticks that look like `module::name`.
fn named(line: &str) -> impl Iterator<Item = &str> {
    let is_name = |text: &str| {
        text.bytes().all(|byte| byte.is_ascii_lowercase() || b"_:0123456789".contains(&byte))
    };
    let quoted = line.split('`').skip(1).step_by(2);
    quoted.filter(move |text| text.contains("::") && !text.ends_with("::") && is_name(text))
}

fn document(name: &str) -> String {
    fs::read_to_string(root().join("docs").join(name)).unwrap()
}

#[test]
fn every_test_that_a_document_names_exists() {
    let tests = tests();
    for (name, least) in [("bad-input.md", 100), ("matching.md", 30), ("journal-format.md", 20)] {
        let text = document(name);
        let mut count = 0;
        for (number, line) in (1..).zip(text.lines()) {
            for test in named(line) {
                assert!(tests.contains(test), "docs/{name}:{number}: there is no test {test}");
                count += 1;
            }
        }
        assert!(least < count, "docs/{name} names {count} tests");
    }
}

/// The cells of the rows of every table, without their headers, by line.
fn rows(text: &str) -> Vec<(usize, Vec<&str>)> {
    let mut rows = Vec::new();
    for (number, line) in (1..).zip(text.lines()) {
        if line.starts_with("|---") {
            rows.pop();
        } else if let Some(row) = line.strip_prefix('|').and_then(|row| row.strip_suffix('|')) {
            rows.push((number, row.split(" | ").map(str::trim).collect()));
        }
    }
    rows
}

#[test]
fn every_case_of_bad_input_has_an_answer_and_a_test() {
    let page = document("bad-input.md");
    let rows = rows(&page);
    assert!(100 < rows.len(), "{} rows", rows.len());
    for (number, cells) in rows {
        let [case, answer, kept, proof] = cells[..] else {
            panic!("docs/bad-input.md:{number}: case, answer, what is not lost, test: {cells:?}");
        };
        let is_filled = [case, answer, kept].iter().all(|cell| !cell.is_empty());
        assert!(is_filled, "docs/bad-input.md:{number}: an empty cell");
        assert!(named(proof).next().is_some(), "docs/bad-input.md:{number}: {case}: no test");
    }
}

#[test]
fn every_code_of_bad_input_exists_and_has_the_exit_code_that_is_said() {
    let list = Place::empty().run("explain --json").expect_json("uncross.explain-all/1");
    let codes = list.value("codes").as_array().unwrap().iter();
    let known: BTreeMap<&str, Option<u64>> =
        codes.map(|code| (code["code"].as_str().unwrap(), code["exit_code"].as_u64())).collect();
    let page = document("bad-input.md");
    let mut count = 0;
    for (number, cells) in rows(&page) {
        let words = |c: char| !c.is_ascii_alphanumeric() && c != '-';
        let found = cells[1]
            .split(words)
            .filter(|word| word.starts_with("UX-") || word.len() == 4 && word.starts_with("0x"));
        for code in found {
            let place = format!("docs/bad-input.md:{number}: {code}");
            let exit = known.get(code).unwrap_or_else(|| panic!("{place} does not exist"));
            if let Some(exit) = exit {
                assert!(cells[1].contains(&format!("exit {exit}")), "{place} is of exit {exit}");
            }
            count += 1;
        }
    }
    assert!(40 < count, "{count} codes");
}
