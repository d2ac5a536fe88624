//! The file in which a mock server keeps its contacts from one start to the next.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Context;

use crate::sandbox::{ObservedMoment, Sandbox, Saved};

/// The file in the directory.
const FILE: &str = "contacts.json";

/// Puts what is kept in `dir` into `sandbox`, if anything is, and keeps there from now on what
/// requests change, before they are answered. Returns whether anything was kept.
pub(super) fn keep_data(sandbox: &Sandbox, dir: &Path) -> anyhow::Result<bool> {
    std::fs::create_dir_all(dir).with_context(|| format!("cannot make {}", dir.display()))?;
    let path = std::path::absolute(dir.join(FILE)).context("there is no working directory")?;
    let saved = read_data(&path)?;
    let was_kept = saved.is_some();
    if let Some(saved) = saved {
        sandbox.load(saved);
    }
    write(&path, &sandbox.save())?;
    let of = sandbox.clone();
    sandbox.set_witness(Arc::new(move |moment, request| {
        if moment == ObservedMoment::CarriedOut
            && request.method != "GET"
            && let Err(error) = write(&path, &of.save())
        {
            crate::cli::say_on_stderr(&format!("error: {error:#}"));
        }
    }));
    Ok(was_kept)
}

fn read_data(path: &PathBuf) -> anyhow::Result<Option<Saved>> {
    match std::fs::read(path) {
        Ok(text) => serde_json::from_slice(&text)
            .map(Some)
            .with_context(|| format!("{} is not what a mock server keeps", path.display())),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error).with_context(|| format!("cannot read {}", path.display())),
    }
}

/// Replaces the file, which is whole at any time and its owner's alone.
fn write(path: &Path, saved: &Saved) -> anyhow::Result<()> {
    let replace = || -> std::io::Result<()> {
        let mut file = tempfile::NamedTempFile::new_in(path.parent().unwrap_or(path))?;
        serde_json::to_writer(&mut file, saved)?;
        file.flush()?;
        file.persist(path)?;
        Ok(())
    };
    replace().with_context(|| format!("cannot write {}", path.display()))
}
