//! The tables of record bodies in `docs/journal-format.md` equal the structs.

use uncross_journal::body::BODIES;

const PAGE: &str = include_str!("../../../docs/journal-format.md");

/// Rows of the table under "### name": offset, size, field.
fn rows(name: &str) -> Vec<(usize, usize, String)> {
    let heading = format!("### {name}");
    let section = PAGE.lines().skip_while(|line| **line != *heading).skip(1);
    let section = section.take_while(|line| !line.starts_with('#'));
    let rows = section.filter(|line| line.starts_with('|')).skip(2);
    rows.map(|row| {
        let cells: Vec<_> = row.split('|').map(|it| it.trim().trim_matches('`')).collect();
        (cells[1].parse().unwrap(), cells[2].parse().unwrap(), cells[3].to_owned())
    })
    .collect()
}

#[test]
fn every_body_in_the_page_is_the_body_of_the_code() {
    for (name, fields) in BODIES {
        let fields: Vec<_> =
            fields.iter().map(|&(name, offset, size)| (offset, size, name.to_owned())).collect();
        assert_eq!(rows(name), fields, "{name}");
    }
}
