//! What the dependencies are for. Their licences, sources and advisories are checked by
//! `cargo deny` in `.ci/run`.

use std::path::Path;

#[test]
fn every_dependency_says_in_one_line_what_it_is_for() {
    let text =
        std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("Cargo.toml")).unwrap();
    let (mut within, mut checked) = (false, 0);
    for line in text.lines() {
        if line.starts_with('[') {
            within = line.ends_with("dependencies]");
        } else if within && line.contains(" = ") && !line.starts_with('#') {
            checked += 1;
            let reason = line.rsplit_once(" # ").map_or("", |(_, reason)| reason);
            assert!(reason.split_whitespace().count() > 1, "what is it for? {line}");
        }
    }
    assert!(checked > 50, "{checked}");
}
