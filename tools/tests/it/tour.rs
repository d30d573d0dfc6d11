//! The tour of README.md, as it stands there.

use crate::{program::Place, server::Server};

const README: &str = include_str!("../../../README.md");

#[test]
fn the_tour_of_the_readme_works_in_its_order() {
    let place = Place::empty();
    place.write("password.txt", "secret\n");
    let section = README.split("\n## ").find(|part| part.starts_with("Five minutes\n")).unwrap();
    let lines = section.lines().map(|line| line.split('#').next().unwrap().trim());
    let (mut server, mut ran) = (None::<Server>, Vec::new());
    for line in lines.filter_map(|line| line.strip_prefix("uncross ")) {
        let words: Vec<_> = line.split_whitespace().collect();
        let at = |server: &Option<Server>, orders: bool| {
            let server = server.as_ref().expect("the venue is started before");
            if orders { server.orders.clone() } else { server.data.clone() }
        };
        ran.push(words[0]);
        let more = match words[0] {
            "start" => {
                assert_eq!(words, ["start", "./venue"]);
                server = Some(Server::start(&place, "--set core.pin=false"));
                continue;
            }
            // The reader copies the password that is printed.
            "user" => "--password-file password.txt".to_owned(),
            "order" | "cancel" => format!("--orders {}", at(&server, true)),
            "book" | "tape" => format!("--data {}", at(&server, false)),
            _ => String::new(),
        };
        place.run(&format!("{line} {more}")).expect_success();
    }
    let all = ["init", "user", "start", "order", "book", "tape", "cancel"];
    let asked = ["journal", "replay", "journal", "journal", "journal", "journal", "backup"];
    let audit = [&asked[..], &["sessions", "doctor"]].concat();
    assert_eq!(ran, [&all[..], &audit[..]].concat());
    server.expect("the tour starts a venue").stop();
}
