//! The recording on the first page: what the program prints in a small story, as an
//! SVG that shows one command after another. It is made anew like the reference pages,
//! and is the same each time.

use std::fmt::Write;

use super::reference::is_up_to_date;
use crate::harness::World;

/// What is typed, and for how many seconds it is shown.
const STORY: [(&str, u32); 6] = [
    ("linqsync plan", 8),
    ("linqsync --once -q", 6),
    ("linqsync resolve bo@lanterns.example --take source", 4),
    ("linqsync --once -q", 4),
    ("linqsync history --run 2", 6),
    ("linqsync undo 2 -q", 5),
];

const COLUMNS: usize = 80;
const LINE: usize = 18;

#[test]
fn the_recording_on_the_first_page_is_what_the_program_prints() {
    let mut world = World::with_csv(
        "First Name,Last Name,Email,Company,Title\n\
         Ada,King,ada@engines.example,Engines,Countess\n\
         Bo,Wang,bo@lanterns.example,Lanterns,Engineer\n",
    );
    world.set("linq.concurrency", "1");
    world.sync();
    world.edit("Engines,Countess", "Analytical Engines,Countess");
    world.change("Ada", "title", "Lady");
    world.edit("Engineer", "Chief Engineer");
    world.change("Bo", "title", "CTO");
    world.write(world.text() + "Kai,Novák,kai@harbour.example,Harbour & Sons,Pilot\n");
    let screens: Vec<Vec<String>> = STORY.iter().map(|(typed, _)| screen(&world, typed)).collect();
    is_up_to_date("docs/demo.svg", &svg(&screens));
}

/// A command and what it prints, in the colours of a terminal.
fn screen(world: &World, typed: &str) -> Vec<String> {
    let arguments: Vec<&str> = typed.split(' ').skip(1).chain(["--color", "always"]).collect();
    let printed = world.run(&arguments).stdout;
    let printed = printed.lines().map(without_time);
    std::iter::once(format!("\u{1b}[1m$ {typed}\u{1b}[0m")).chain(printed).collect()
}

/// The same line, whenever it was printed.
fn without_time(line: &str) -> String {
    match (line.find('2'), line.find(" UTC")) {
        (Some(at), Some(end)) => format!("{}2026-11-20 22:00:07{}", &line[..at], &line[end..]),
        _ => line.to_owned(),
    }
}

const STYLE: &str = "\
text { font: 13px ui-monospace, Menlo, Consolas, 'DejaVu Sans Mono', monospace; fill: #d6dae0; }
.b { font-weight: bold } .d { fill: #8b93a0 } .c1 { fill: #f0837a } .c2 { fill: #8fd18b }
.c3 { fill: #e5c578 } .c4 { fill: #83b6ec } .c5 { fill: #d59be6 } .c6 { fill: #79cdc9 }
";

fn svg(screens: &[Vec<String>]) -> String {
    let rows = screens.iter().map(Vec::len).max().unwrap();
    let (width, height) = (COLUMNS * 8 + 32, rows * LINE + 28);
    let mut text = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" \
         width=\"{width}\" height=\"{height}\">\n<style>\n{STYLE}{}</style>\n\
         <rect width=\"{width}\" height=\"{height}\" rx=\"8\" fill=\"#1d2127\"/>\n",
        timing()
    );
    for (number, lines) in screens.iter().enumerate() {
        writeln!(text, "<g class=\"s k{number}\">").unwrap();
        for (row, line) in lines.iter().enumerate().filter(|(_, line)| !line.is_empty()) {
            let (y, line) = (26 + row * LINE, spans(line));
            writeln!(text, "<text x=\"16\" y=\"{y}\" xml:space=\"preserve\">{line}</text>")
                .unwrap();
        }
        text += "</g>\n";
    }
    text + "</svg>\n"
}

/// Shows one screen after another; whoever wants no motion sees the first.
fn timing() -> String {
    let all: u32 = STORY.iter().map(|(_, seconds)| seconds).sum();
    let mut text = format!(".s {{ visibility: hidden; animation: {all}s step-end infinite }}\n");
    let mut from = 0;
    for (number, (_, seconds)) in STORY.iter().enumerate() {
        let percent = |at: u32| f64::from(at) * 100.0 / f64::from(all);
        let (begin, end) = (percent(from), percent(from + seconds));
        let mut frames = format!("{begin:.2}% {{ visibility: visible }}");
        if number > 0 {
            frames = format!("0% {{ visibility: hidden }} {frames}");
        }
        if number + 1 < STORY.len() {
            write!(frames, " {end:.2}% {{ visibility: hidden }}").unwrap();
        }
        writeln!(text, "@keyframes k{number} {{ {frames} }}").unwrap();
        writeln!(text, ".k{number} {{ animation-name: k{number} }}").unwrap();
        from += seconds;
    }
    text + "@media (prefers-reduced-motion) { .s { animation: none } .k0 { visibility: visible } }\n"
}

/// A line with its colours as classes.
fn spans(line: &str) -> String {
    let (mut text, mut open) = (String::new(), false);
    for (number, part) in line.split("\u{1b}[").enumerate() {
        let (codes, shown) = match part.split_once('m') {
            Some((codes, shown)) if number > 0 => (codes, shown),
            _ => ("", part),
        };
        let classes: Vec<String> = codes.split(';').filter_map(class).collect();
        if number > 0 && open {
            text += "</tspan>";
            open = false;
        }
        if !classes.is_empty() {
            write!(text, "<tspan class=\"{}\">", classes.join(" ")).unwrap();
            open = true;
        }
        text += &shown.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    }
    text + if open { "</tspan>" } else { "" }
}

fn class(code: &str) -> Option<String> {
    match code.parse::<u32>().ok()? {
        1 => Some("b".to_owned()),
        2 => Some("d".to_owned()),
        colour @ 31..=36 => Some(format!("c{}", colour - 30)),
        _ => None,
    }
}

#[test]
fn colours_become_classes_and_text_stays_text() {
    assert_eq!(
        spans("a \u{1b}[1m\u{1b}[32mb<c\u{1b}[0m d"),
        "a <tspan class=\"b\"></tspan><tspan class=\"c2\">b&lt;c</tspan> d"
    );
    assert_eq!(
        without_time("x  2030-01-02 03:04:05 UTC  run 2"),
        "x  2026-11-20 22:00:07 UTC  run 2"
    );
}
