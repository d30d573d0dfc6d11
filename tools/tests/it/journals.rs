//! Journals to ask questions of, and the bytes of folders.

use std::{fs, path::Path};

use serde_json::Value;

use crate::program::{Place, Run};

/// The settings of a venue with the shortest segments.
pub(crate) const SHORT: [(&str, &str); 1] = [("UNCROSS__JOURNAL__SEGMENT", "64KiB")];

/// A folder with the venue of a demonstration in `venue`, of three segments at least.
pub(crate) fn traded() -> Place {
    // On a machine that is busy a demonstration sends less than it wants to.
    for seconds in [1, 4, 16] {
        let place = Place::empty();
        let demo = format!("demo --for {seconds}s --port 0 --rate 2k --keep venue");
        place.run_with(&demo, &SHORT, "").expect_success();
        if 2 <= files(&place.path("venue/journal"), "seg").len() {
            return place;
        }
    }
    panic!("a demonstration of 16 s fills no two segments of 64 KiB");
}

/// Lines of JSON.
pub(crate) fn lines(run: Run) -> Vec<Value> {
    run.expect_success().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// Path, bytes and permissions of everything in a folder.
pub(crate) fn content(folder: &Path) -> Vec<(String, Vec<u8>, bool)> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                let bytes = fs::read(&path).unwrap();
                let is_read_only = path.metadata().unwrap().permissions().readonly();
                found.push((path.display().to_string(), bytes, is_read_only));
            }
        }
    }
    found.sort();
    found
}

/// The files of a folder that end so, sorted.
pub(crate) fn files(folder: &Path, extension: &str) -> Vec<std::path::PathBuf> {
    let names = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let mut files: Vec<_> =
        names.filter(|path| path.extension().is_some_and(|it| it == extension)).collect();
    files.sort();
    files
}

/// Turns a byte of a file over, whatever its permissions.
pub(crate) fn damage(path: &Path, offset: usize) {
    let mut bytes = fs::read(path).unwrap();
    bytes[offset] ^= 0x10;
    replace(path, &bytes);
}

/// Puts another file in the place of one.
pub(crate) fn replace(path: &Path, bytes: &[u8]) {
    fs::remove_file(path).unwrap();
    fs::write(path, bytes).unwrap();
}

/// Copies a folder.
pub(crate) fn copy(from: &Path, to: &Path) {
    fs::create_dir(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let path = entry.unwrap().path();
        let target = to.join(path.file_name().unwrap());
        if path.is_dir() {
            copy(&path, &target);
        } else {
            fs::copy(&path, &target).unwrap();
        }
    }
}
