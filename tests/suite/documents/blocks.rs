//! The fenced blocks of a document.

/// One block.
pub(super) struct Block {
    /// The line on which its text begins, counted from 1.
    pub(super) line: usize,
    pub(super) kind: BlockKind,
    pub(super) text: String,
}

/// What a block is.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum BlockKind {
    Console,
    File(String),
    Configuration,
    Text,
    Machine,
    Unknown(String),
}

/// The blocks of a document, in order.
pub(super) fn blocks(document: &str) -> Vec<Block> {
    let mut blocks = Vec::new();
    let mut lines = document.lines().enumerate();
    while let Some((number, line)) = lines.next() {
        let indent = line.len() - line.trim_start().len();
        let Some(info) = line.trim_start().strip_prefix("```") else { continue };
        let inside = lines.by_ref().map(|(_, line)| line);
        let text: String = inside
            .take_while(|line| line.trim_start() != "```")
            .flat_map(|line| [line.get(indent..).unwrap_or_default(), "\n"])
            .collect();
        blocks.push(Block { line: number + 2, kind: kind(info), text });
    }
    blocks
}

fn kind(info: &str) -> BlockKind {
    match info.split_once(' ') {
        Some(("csv" | "toml" | "vcard" | "ini" | "text", name)) => BlockKind::File(name.to_owned()),
        None if info == "console" => BlockKind::Console,
        None if info == "toml" => BlockKind::Configuration,
        None if info == "text" => BlockKind::Text,
        None if info == "sh" => BlockKind::Machine,
        _ => BlockKind::Unknown(info.to_owned()),
    }
}

/// A command and the lines that it is said to print.
pub(super) struct TypedBlock {
    pub(super) command: String,
    pub(super) printed: Vec<String>,
}

/// The commands of a console block. A command goes on in the next line behind a `\`.
pub(super) fn typed(text: &str) -> Vec<TypedBlock> {
    let mut typed: Vec<TypedBlock> = Vec::new();
    for line in text.lines() {
        match (line.strip_prefix("$ "), typed.last_mut()) {
            (Some(command), _) => {
                typed.push(TypedBlock { command: command.to_owned(), printed: Vec::new() });
            }
            (None, Some(last)) if last.printed.is_empty() && last.command.ends_with('\\') => {
                last.command = format!("{}\n{line}", last.command);
            }
            (None, Some(last)) => last.printed.push(line.trim_end().to_owned()),
            (None, None) => panic!("a console block begins with a command: {line}"),
        }
    }
    typed
}

/// Whether a program printed what the document says.
pub(super) fn is_as_said(said: &[String], printed: &[&str]) -> bool {
    match said {
        [] => printed.is_empty(),
        [any, rest @ ..] if any == "…" => {
            (0..=printed.len()).any(|skipped| is_as_said(rest, &printed[skipped..]))
        }
        [line, rest @ ..] => match printed {
            [first, others @ ..] => is_line(line, first) && is_as_said(rest, others),
            [] => false,
        },
    }
}

fn is_line(said: &str, printed: &str) -> bool {
    let mut parts = said.split('…');
    let first = parts.next().unwrap_or_default();
    let Some(mut rest) = printed.strip_prefix(first) else { return false };
    let mut open = false;
    for part in parts {
        let Some(at) = rest.find(part) else { return false };
        rest = &rest[at + part.len()..];
        open = part.is_empty();
    }
    open || rest.is_empty()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_document_is_read_as_its_blocks() {
        let text = "x\n```console\n$ a \\\n  b\nsaid\n$ c\n```\n\n  ```csv p.csv\n  A,B\n  ```\n";
        let blocks = blocks(text);
        assert_eq!((blocks.len(), blocks[0].line), (2, 3));
        let typed = typed(&blocks[0].text);
        assert_eq!((typed[0].command.as_str(), typed[1].command.as_str()), ("a \\\n  b", "c"));
        assert_eq!(typed[0].printed, ["said"]);
        assert_eq!(
            (&blocks[1].kind, blocks[1].text.as_str()),
            (&BlockKind::File("p.csv".into()), "A,B\n")
        );
        assert_eq!(kind("bash"), BlockKind::Unknown("bash".to_owned()));
    }

    #[test]
    fn dots_stand_for_anything_and_nothing_else_does() {
        let said = |said: &str, printed: &str| {
            let said: Vec<String> = said.lines().map(String::from).collect();
            is_as_said(&said, &printed.lines().collect::<Vec<_>>())
        };
        assert!(said("a\nb", "a\nb") && said("a…c", "abbc") && said("…\nb", "x\ny\nb"));
        assert!(said("…", "") && said("a …", "a b") && said("a\n…\nd", "a\nd"));
        assert!(
            !said("a", "a\nb") && !said("a\nb", "a") && !said("a…c", "abcd") && !said("a", "b")
        );
    }
}
