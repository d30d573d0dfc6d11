//! What holds for the repository as a whole. Each fault is a line `path:line: rule: fix`.
//!
//! One test without dependencies: it reads files and, for the commands that README.md shows, asks
//! the program for its help.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a failed unwrap is a failed test"
)]

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write,
    fs,
    path::{Path, PathBuf},
    process::Command,
};

/// Folders of the first level; dot-folders and the build's `target` are free.
const TOP_FOLDERS: [&str; 6] = ["bench", "docs", "engine", "gateway", "journal", "tools"];
/// The files in which unsafe code is allowed, each with its arguments.
const UNSAFE_FILES: [&str; 11] = [
    "engine/src/ahead.rs",
    "engine/src/arena.rs",
    "engine/src/ladder.rs",
    "engine/src/table.rs",
    "engine/src/user_refs.rs",
    "gateway/server/src/events.rs",
    "gateway/server/src/stream/chunks.rs",
    "gateway/server/tests/allocations/counting.rs",
    "journal/src/crc.rs",
    "journal/src/mapped.rs",
    "journal/src/storage.rs",
];
/// Which of our crates each may name: dependencies point one way. What the design lets a crate
/// reach through others (tools the server, bench the engine) it may also name.
const DEPENDENCIES: [(&str, &[&str]); 9] = [
    ("engine", &[]),
    ("journal", &[]),
    ("gateway/wire", &[]),
    ("gateway/client", &["wire"]),
    ("gateway/server", &["engine", "journal", "wire"]),
    ("gateway/admin", &["server"]),
    ("bench", &["server", "client", "engine"]),
    ("tools", &["bench", "admin", "client", "server"]),
    ("tools/fuzz", &["server", "journal", "engine", "wire"]),
];
/// The same for tests alone.
const TEST_DEPENDENCIES: [(&str, &[&str]); 5] = [
    ("bench", &["wire"]),
    ("gateway/server", &["client"]),
    ("gateway/admin", &["client"]),
    ("engine", &["engine"]),
    ("journal", &["journal"]),
];
/// Files written by hand in a language that a compiler or interpreter reads.
const SOURCES: [&str; 9] = ["rs", "toml", "sh", "py", "js", "css", "html", "yml", "service"];
/// Longest source file, in lines.
const LINES_MAX: usize = 700;
/// Longest source line, in columns.
const COLUMNS_MAX: usize = 100;
/// Words that promise work instead of doing it; in parts, so that this file does not hold them.
const PROMISES: [[&str; 2]; 4] = [["TO", "DO"], ["FIX", "ME"], ["XX", "X"], ["HA", "CK"]];
const KEYWORD: [&str; 2] = ["un", "safe"];

/// The tracked files and what is wrong with them.
struct Tidy {
    root: PathBuf,
    /// By path from the root; text files only.
    files: BTreeMap<String, String>,
    faults: String,
}

#[test]
fn repository_is_tidy() {
    let mut tidy = Tidy::read();
    tidy.check_top_folders();
    tidy.check_sources();
    tidy.check_unsafe();
    tidy.check_dependencies();
    tidy.check_promises();
    tidy.check_modules();
    tidy.check_architecture();
    tidy.check_readme();
    assert!(tidy.faults.is_empty(), "the repository is not tidy:\n{}", tidy.faults);
}

impl Tidy {
    fn read() -> Self {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned();
        let mut tidy = Self { root: root.clone(), files: BTreeMap::new(), faults: String::new() };
        tidy.walk(&root);
        assert!(tidy.files.contains_key("Cargo.toml"), "{} is no workspace", root.display());
        tidy
    }

    fn walk(&mut self, folder: &Path) {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_str().unwrap();
            let is_ignored = matches!(name, ".git" | "target" | "node_modules");
            if is_ignored || path.is_symlink() {
                continue;
            }
            if path.is_dir() {
                self.walk(&path);
            } else if let Ok(text) = String::from_utf8(fs::read(&path).unwrap()) {
                let name = path.strip_prefix(&self.root).unwrap().to_str().unwrap();
                self.files.insert(name.to_owned(), text);
            }
        }
    }

    fn fault(&mut self, path: &str, line: usize, rule: &str, fix: &str) {
        writeln!(self.faults, "{path}:{line}: {rule}: {fix}").unwrap();
    }

    /// Notes the faults that `find` sees: line, rule and fix, of each file of one kind.
    fn each<'a>(
        &mut self,
        endings: &[&str],
        find: impl Fn(&str, &str) -> Vec<(usize, &'a str, String)>,
    ) {
        let files = std::mem::take(&mut self.files);
        for (path, text) in &files {
            let is_meant = endings.is_empty() || endings.iter().any(|each| has_ending(path, each));
            if is_meant && path != "Cargo.lock" {
                for (line, rule, fix) in find(path, text) {
                    self.fault(path, line, rule, &fix);
                }
            }
        }
        self.files = files;
    }

    /// 1. The first level is what the design says.
    fn check_top_folders(&mut self) {
        let folders = fs::read_dir(&self.root).unwrap().map(|entry| entry.unwrap().path());
        let folders = folders.filter(|path| path.is_dir());
        let names = folders.map(|path| path.file_name().unwrap().to_str().unwrap().to_owned());
        let found: BTreeSet<_> =
            names.filter(|name| !name.starts_with('.') && name != "target").collect();
        let expected: BTreeSet<_> = TOP_FOLDERS.map(str::to_owned).into();
        for name in found.difference(&expected) {
            self.fault(name, 1, "top-level folder", "move it into one of the six folders");
        }
    }

    /// 2. Sources are of readable size and plain text.
    fn check_sources(&mut self) {
        self.each(&SOURCES, |_, text| {
            let mut faults = Vec::new();
            let lines = text.lines().count();
            if LINES_MAX < lines {
                let fix = format!("split the file: {lines} lines, at most {LINES_MAX}");
                faults.push((LINES_MAX + 1, "length", fix));
            }
            if !text.is_empty() && !text.ends_with('\n') {
                faults.push((lines, "final newline", String::from("end the last line")));
            }
            for (number, line) in (1..).zip(text.split('\n')) {
                let columns = line.chars().count();
                if COLUMNS_MAX < columns {
                    let fix = format!("break the line: {columns} columns, at most {COLUMNS_MAX}");
                    faults.push((number, "columns", fix));
                }
                if let Some(found) = line.chars().find(|found| !found.is_ascii()) {
                    let fix = format!("write {} as an escape or in words", found.escape_unicode());
                    faults.push((number, "ASCII", fix));
                }
                if line.contains(['\r', '\t']) {
                    faults.push((number, "white space", String::from("use spaces and LF")));
                }
            }
            faults
        });
    }

    /// 3. Unsafe code is in few named files, and the list names no others.
    fn check_unsafe(&mut self) {
        let keyword = KEYWORD.concat();
        self.each(&["rs"], |path, text| {
            let lines = (1..).zip(text.lines());
            let uses = lines.filter(|(_, line)| uses_keyword(line, &keyword));
            let uses: Vec<usize> = uses.map(|(number, _)| number).collect();
            let fix = match (UNSAFE_FILES.contains(&path), uses.first()) {
                (false, Some(_)) => "move it to a file of UNSAFE_FILES in tools/tests/tidy.rs",
                (true, None) => "nothing is left here: take the file off UNSAFE_FILES",
                (true, Some(_)) | (false, None) => return Vec::new(),
            };
            let line = uses.first().copied().unwrap_or(1);
            vec![(line, "allow-list of the unchecked", fix.to_owned())]
        });
        for path in UNSAFE_FILES {
            if !self.files.contains_key(path) {
                let fix = "there is no such file: take it off UNSAFE_FILES";
                self.fault(path, 1, "allow-list of the unchecked", fix);
            }
        }
    }

    /// 4. Dependencies between our crates are those of the design.
    fn check_dependencies(&mut self) {
        self.each(&["Cargo.toml"], |path, text| {
            let Some(folder) = path.strip_suffix("/Cargo.toml") else {
                return Vec::new();
            };
            let mut faults = Vec::new();
            let mut section = "";
            for (number, line) in (1..).zip(text.lines()) {
                if line.starts_with('[') {
                    section = line;
                }
                let name = line.split(['.', ' ', '=']).next().unwrap_or_default();
                let Some(name) = name.strip_prefix("uncross-") else {
                    continue;
                };
                let is_test = section.contains("dev-dependencies");
                let is_given = allows(&DEPENDENCIES, folder, name)
                    || is_test && allows(&TEST_DEPENDENCIES, folder, name);
                if section.contains("dependencies") && !is_given {
                    let fix = format!("{folder} must not depend on uncross-{name}");
                    faults.push((number, "direction of dependencies", fix));
                }
            }
            faults
        });
    }

    /// 5. Nothing is promised in comments.
    fn check_promises(&mut self) {
        self.each(&[], |_, text| {
            let mut faults = Vec::new();
            for (number, line) in (1..).zip(text.lines()) {
                for word in PROMISES.map(|parts| parts.concat()) {
                    if words(line).any(|found| found == word) {
                        let fix = format!("do it, or open an issue and drop the {word}");
                        faults.push((number, "promise", fix));
                    }
                }
            }
            faults
        });
    }

    /// 6. No Rust file lies beside the build.
    fn check_modules(&mut self) {
        let roots = self.crate_roots();
        let orphans: Vec<String> = self
            .files
            .keys()
            .filter(|path| has_ending(path, "rs") && !roots.contains(*path))
            .filter(|path| !self.is_declared(path))
            .cloned()
            .collect();
        for path in orphans {
            self.fault(&path, 1, "module", "no parent has a `mod` for it: declare or delete it");
        }
    }

    /// Files at which cargo begins.
    fn crate_roots(&self) -> BTreeSet<String> {
        let mut roots = BTreeSet::new();
        for (path, text) in &self.files {
            let Some(folder) = path.strip_suffix("Cargo.toml") else {
                continue;
            };
            for name in ["src/lib.rs", "src/main.rs", "build.rs"] {
                roots.insert(format!("{folder}{name}"));
            }
            for kind in ["src/bin/", "tests/", "benches/", "examples/", "fuzz_targets/"] {
                let start = format!("{folder}{kind}");
                let inside =
                    self.files.keys().filter_map(|file| Some((file, file.strip_prefix(&start)?)));
                let starts = inside.filter(|(_, rest)| {
                    !rest.contains('/')
                        || rest.ends_with("/main.rs") && rest.matches('/').count() == 1
                });
                roots.extend(starts.map(|(file, _)| file.clone()));
            }
            for line in text.lines() {
                if let Some(value) = line.trim().strip_prefix("path = \"") {
                    roots.insert(format!("{folder}{}", value.trim_end_matches('"')));
                }
            }
        }
        roots
    }

    fn is_declared(&self, path: &str) -> bool {
        let (folder, file) = path.rsplit_once('/').unwrap_or(("", path));
        let (folder, module) = match file.strip_suffix(".rs").unwrap_or(file) {
            "mod" => folder.rsplit_once('/').unwrap_or(("", folder)),
            module => (folder, module),
        };
        let parents = [
            format!("{folder}.rs"),
            format!("{folder}/mod.rs"),
            format!("{folder}/lib.rs"),
            format!("{folder}/main.rs"),
        ];
        let declares = |line: &str| {
            let line = line.trim();
            let line = line.strip_prefix("#[macro_use] ").unwrap_or(line);
            let from = line.find("mod ").filter(|&at| at == 0 || line.starts_with("pub"));
            from.is_some_and(|at| line[at + 4..].trim_end_matches(';') == module)
        };
        let mut texts = parents.iter().filter_map(|parent| self.files.get(parent));
        texts.any(|text| text.lines().any(declares))
    }

    /// 8. docs/ARCHITECTURE.md speaks of what exists.
    fn check_architecture(&mut self) {
        const PATH: &str = "docs/ARCHITECTURE.md";
        let Some(text) = self.files.get(PATH).cloned() else {
            return self.fault(PATH, 1, "named paths", "missing: write it");
        };
        for (number, line) in (1..).zip(text.lines()) {
            let is_part = |c: char| c.is_ascii_alphanumeric() || matches!(c, '/' | '_' | '-' | '.');
            for word in line.split(|c| !is_part(c)) {
                let word = word.trim_end_matches(['.', '/']).trim_start_matches("./");
                let (first, _) = word.split_once('/').unwrap_or((word, ""));
                let is_path = word.contains('/') && TOP_FOLDERS.contains(&first);
                let is_file = ["rs", "toml", "md"].iter().any(|each| has_ending(word, each));
                let exists = if is_path {
                    self.root.join(word).exists()
                } else {
                    !is_file || self.files.keys().any(|file| is_tail(file, word))
                };
                if !exists {
                    self.fault(PATH, number, "named paths", &format!("there is no {word}"));
                }
            }
        }
    }

    /// 9. README.md shows commands that exist.
    fn check_readme(&mut self) {
        const PATH: &str = "README.md";
        let Some(text) = self.files.get(PATH).cloned() else {
            return self.fault(PATH, 1, "shown commands", "missing: write it");
        };
        let mut program = Program::default();
        for (number, line) in shown(&text) {
            if let Some(fix) = program.refuses(&line) {
                self.fault(PATH, number, "shown commands", &fix);
            }
        }
    }
}

/// Whether `path` is or ends in `.ending`, or is the file `ending`.
fn has_ending(path: &str, ending: &str) -> bool {
    let rest = path.strip_suffix(ending);
    rest.is_some_and(|rest| rest.is_empty() || rest.ends_with(['.', '/']))
}

/// Whether `tail` is `path` or its last folders and name.
fn is_tail(path: &str, tail: &str) -> bool {
    path.strip_suffix(tail).is_some_and(|rest| rest.is_empty() || rest.ends_with('/'))
}

fn allows(table: &[(&str, &[&str])], folder: &str, name: &str) -> bool {
    table.iter().any(|(from, to)| *from == folder && to.contains(&name))
}

fn words(line: &str) -> impl Iterator<Item = &str> {
    line.split(|c: char| !c.is_ascii_alphanumeric() && c != '_')
}

/// Whether a line of code, comments and texts aside, opens something with the keyword.
fn uses_keyword(line: &str, keyword: &str) -> bool {
    let code = line.split("//").next().unwrap_or_default();
    let is_lint = code.contains("expect(") && code.contains(&format!("{keyword}_code"));
    let mut parts = code.split(keyword);
    let mut before = parts.next().unwrap_or_default();
    let opens = parts.any(|after| {
        let is_word = !before.ends_with(|c: char| c.is_ascii_alphanumeric() || c == '_');
        let is_text = before.matches('"').count() % 2 == 1;
        before = after;
        let next = after.trim_start();
        let starts = ["{", "fn ", "impl", "trait ", "extern ", "(", "mod "];
        let is_end = next.is_empty() && !after.starts_with('_');
        is_word && !is_text && (is_end || starts.iter().any(|start| next.starts_with(start)))
    });
    opens || is_lint
}

/// The lines of fenced blocks, and the `quoted` texts elsewhere, that are commands of the program.
fn shown(text: &str) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    let mut is_fenced = false;
    for (number, line) in (1..).zip(text.lines()) {
        if line.trim_start().starts_with("```") {
            is_fenced = !is_fenced;
            continue;
        }
        let parts: Vec<&str> = if is_fenced {
            line.split(['|', '&', ';', '(']).collect()
        } else {
            line.split('`').skip(1).step_by(2).collect()
        };
        for part in parts {
            let part = part.trim().trim_start_matches("$ ");
            let cargo = ["cargo run --release -- ", "cargo run -- "];
            let from_cargo = cargo.into_iter().find_map(|start| part.strip_prefix(start));
            if let Some(command) = from_cargo.or_else(|| part.strip_prefix("uncross ")) {
                let command = command.split(" #").next().unwrap_or_default();
                found.push((number, command.to_owned()));
            }
        }
    }
    found
}

/// The program's own word on what it knows, by command.
#[derive(Default)]
struct Program {
    help: BTreeMap<String, String>,
}

impl Program {
    fn help(&mut self, command: &str) -> &str {
        self.help.entry(command.to_owned()).or_insert_with(|| {
            let mut program = Command::new(env!("CARGO_BIN_EXE_uncross"));
            let output = program.args(command.split_whitespace()).arg("--help").output().unwrap();
            String::from_utf8(output.stdout).unwrap()
        })
    }

    /// What is wrong with a command as shown, if anything.
    fn refuses(&mut self, shown: &str) -> Option<String> {
        let mut command = String::new();
        for word in shown.split_whitespace() {
            let help = self.help(&command);
            let mut lines = help.lines().map(str::trim_start);
            if let Some(flag) = word.strip_prefix("--") {
                let flag = format!("--{}", flag.split('=').next().unwrap_or_default());
                let is_flag = |part: &str| part.trim_end_matches(',') == flag;
                if !lines.any(|line| line.split_whitespace().any(is_flag)) {
                    return Some(format!("uncross {command} has no {flag}"));
                }
                continue;
            }
            // Only where commands are listed is the next word one; else it is an argument.
            let is_parent = lines.by_ref().any(|line| line == "Commands:");
            if is_parent {
                let is_named = |line: &str| line.split_whitespace().next() == Some(word);
                if !lines.take_while(|line| !line.is_empty()).any(is_named) {
                    return Some(format!("there is no command uncross {command} {word}"));
                }
                let separator = if command.is_empty() { "" } else { " " };
                command.extend([separator, word]);
            }
        }
        None
    }
}

#[test]
fn keyword_is_seen_in_code_only() {
    let keyword = KEYWORD.concat();
    for (line, expected) in [
        ("let x = KEY { y };", true),
        ("KEY impl Send for X {}", true),
        ("    KEY", true),
        ("#![expect(KEY_code, reason = \"mapped memory\")]", true),
        ("// an KEY { block }", false),
        ("let text = \"KEY { block }\";", false),
        ("is_KEY(path)", false),
        ("KEY_code = \"deny\"", false),
    ] {
        assert_eq!(uses_keyword(&line.replace("KEY", &keyword), &keyword), expected, "{line}");
    }
}

#[test]
fn shown_commands_are_found_and_judged() {
    let text = "Run `uncross version` or `ls`.\n```\n$ uncross init ./venue && uncross frob  # x\n\
                cargo run --release -- config check v --nope\nuncross version --json | jq\n```\n";
    let found = shown(text);
    let expected = [
        (1, "version"),
        (3, "init ./venue"),
        (3, "frob "),
        (4, "config check v --nope"),
        (5, "version --json"),
    ];
    assert_eq!(found, expected.map(|(line, text)| (line, text.to_owned())));
    let mut program = Program::default();
    let judged: Vec<_> = found.iter().map(|(_, line)| program.refuses(line).is_some()).collect();
    assert_eq!(judged, [false, false, true, true, false]);
}
