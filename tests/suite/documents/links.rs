//! What leads from one document to another.

use std::collections::BTreeSet;
use std::path::{Component, Path, PathBuf};

use super::{documents, root};
use crate::harness::anchor;

/// Everything that is written for people, by its path below the project.
fn pages() -> Vec<PathBuf> {
    let further =
        ["ARCHITECTURE.md", "CHANGELOG.md", "CONTRIBUTING.md", "GLOSSARY.md", "SECURITY.md"];
    documents().into_iter().chain(further.map(PathBuf::from)).collect()
}

fn read(path: &Path) -> String {
    std::fs::read_to_string(root().join(path)).unwrap()
}

/// The text without its fenced blocks, in which nothing is a link or a heading.
fn prose(text: &str) -> String {
    let mut inside = false;
    let is_prose = |line: &&str| {
        let fence = line.trim_start().starts_with("```");
        inside ^= fence;
        !inside && !fence
    };
    text.lines().filter(is_prose).flat_map(|line| [line, "\n"]).collect()
}

/// Where the links of a page lead, as they are written.
fn targets(text: &str) -> Vec<String> {
    let links = prose(text);
    let targets = links.split("](").skip(1).filter_map(|rest| rest.split(')').next());
    targets.filter(|target| !target.contains("://")).map(String::from).collect()
}

/// What headings can be linked to.
fn anchors(text: &str) -> BTreeSet<String> {
    let headings = prose(text);
    let headings = headings.lines().filter(|line| line.starts_with('#'));
    headings.map(|line| anchor(line.trim_start_matches('#').trim())).collect()
}

/// The file below the project that a link on `page` leads to, and the heading in it.
fn resolved(page: &Path, target: &str) -> (PathBuf, Option<String>) {
    let (file, heading) = match target.split_once('#') {
        Some((file, heading)) => (file, Some(heading.to_owned())),
        None => (target, None),
    };
    if file.is_empty() {
        return (page.to_owned(), heading);
    }
    let mut path = PathBuf::new();
    for part in page.parent().unwrap().join(file).components() {
        if part == Component::ParentDir {
            assert!(path.pop(), "{target} leads out of the project");
        } else {
            path.push(part);
        }
    }
    (path, heading)
}

/// Links lead to something that is there: a file of the project, and a heading in it.
#[test]
fn no_link_leads_nowhere() {
    let mut broken = Vec::new();
    let mut followed = 0;
    for page in pages() {
        for target in targets(&read(&page)) {
            followed += 1;
            let (file, heading) = resolved(&page, &target);
            let is_there = root().join(&file).exists()
                && heading.is_none_or(|heading| anchors(&read(&file)).contains(&heading));
            if !is_there {
                broken.push(format!("{}: {target}", page.display()));
            }
        }
    }
    assert!(broken.is_empty(), "{broken:#?}");
    assert!(followed > 100, "{followed}");
}

#[test]
fn every_page_is_found_from_the_readme() {
    let (mut found, mut ahead) = (BTreeSet::new(), vec![PathBuf::from("README.md")]);
    while let Some(page) = ahead.pop() {
        let is_page = page.extension().is_some_and(|extension| extension == "md");
        if is_page && found.insert(page.clone()) {
            ahead.extend(targets(&read(&page)).iter().map(|target| resolved(&page, target).0));
        }
    }
    let lost: Vec<PathBuf> = pages().into_iter().filter(|page| !found.contains(page)).collect();
    assert!(lost.is_empty(), "no link leads to {lost:?}");
}

/// The index has every page below docs itself: nobody has to guess where one is.
#[test]
fn the_index_names_every_page() {
    let index = Path::new("docs/README.md");
    let named: BTreeSet<PathBuf> =
        targets(&read(index)).iter().map(|target| resolved(index, target).0).collect();
    let pages = documents().into_iter().filter(|page| page.starts_with("docs") && page != index);
    let lost: Vec<PathBuf> = pages.filter(|page| !named.contains(page)).collect();
    assert!(lost.is_empty(), "not in the index: {lost:?}");
}

/// Who looks at the project for the first time reads 500 words, and not more.
#[test]
fn the_readme_is_read_in_a_minute_or_two() {
    let text = read(Path::new("README.md"));
    let shown: String = text
        .split("<!--")
        .enumerate()
        .map(|(n, part)| if n == 0 { part } else { part.split_once("-->").unwrap().1 })
        .collect();
    let is_word = |word: &&str| word.contains(|c: char| c.is_alphanumeric());
    let words = shown.split_whitespace().filter(is_word).count();
    assert!(words <= 500, "{words} words");
    let written = text.split_whitespace().count();
    assert!(written <= 500, "{written} words, as `wc -w` counts them");
}

#[test]
fn links_and_headings_are_read_as_renderers_do() {
    let text = "# A `b/1` c\n```text\n# no\n[x](y)\n```\n[d](../e.md#f-g) [h](https://i)\n";
    assert_eq!(targets(text), ["../e.md#f-g"]);
    assert_eq!(anchors(text), BTreeSet::from(["a-b1-c".to_owned()]));
    let (file, heading) = resolved(Path::new("docs/how-to/x.md"), "../e.md#f-g");
    assert_eq!((file, heading), (PathBuf::from("docs/e.md"), Some("f-g".to_owned())));
}
