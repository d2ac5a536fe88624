//! What a file has besides its text, and whose it is: who may read it, what is attached to
//! it, and through whose link it is found.

use std::io::Write;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown, lchown, symlink};
use std::path::Path;

use rustix::fs::XattrFlags;
use rustix::io::Errno;

use crate::harness::{World, people};
use crate::vcards::{ADA, BO, file, world};

/// Somebody else: `nobody` on most machines.
const OTHER: u32 = 65534;

/// Says that something could not be checked, past the test harness, which would keep it
/// to itself.
fn not_checked(what: &str) {
    let _ = std::io::stderr().write_all(format!("NOT CHECKED: {what}\n").as_bytes());
}

/// An access control list (`acl(5)`, version 2) by which [`OTHER`] may read, besides the
/// owner, and nobody else.
fn list() -> Vec<u8> {
    const ANY: u32 = u32::MAX;
    let entries: [(u16, u16, u32); 5] =
        [(0x01, 6, ANY), (0x02, 4, OTHER), (0x04, 0, ANY), (0x10, 4, ANY), (0x20, 0, ANY)];
    let mut list = 2_u32.to_le_bytes().to_vec();
    for (tag, may, whom) in entries {
        list.extend(tag.to_le_bytes().into_iter().chain(may.to_le_bytes()));
        list.extend(whom.to_le_bytes());
    }
    list
}

fn attribute(path: &Path, name: &str) -> Vec<u8> {
    let mut value = [0; 128];
    let length = rustix::fs::getxattr(path, name, &mut value[..]).unwrap();
    value[..length].to_vec()
}

/// Attaches to a file whatever its file system takes; the names of that.
fn attach(path: &Path) -> Vec<&'static str> {
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o640)).unwrap();
    let all = [("system.posix_acl_access", list()), ("user.origin", b"crm".to_vec())];
    let taken = all.iter().filter(|(name, value)| {
        match rustix::fs::setxattr(path, *name, value, XattrFlags::empty()) {
            Ok(()) => true,
            Err(Errno::OPNOTSUPP) => {
                not_checked(&format!("this file system has no {name}"));
                false
            }
            Err(errno) => panic!("{name}: {errno}"),
        }
    });
    taken.map(|(name, _)| *name).collect()
}

#[test]
fn access_control_lists_and_attributes_stay_when_a_file_is_replaced() {
    let sheet = World::synced(&people::csv(1..=2));
    let cards = world(&[("ada.vcf", ADA), ("bo.vcf", BO)]);
    cards.sync();
    for (world, path, who) in
        [(&sheet, sheet.csv(), "First001"), (&cards, file(&cards, "ada.vcf"), "Ada")]
    {
        let attached = attach(&path);
        let before = std::fs::metadata(&path).unwrap();
        world.change(who, "title", "Chief");
        world.once().expect(0);
        let after = std::fs::metadata(&path).unwrap();
        assert_ne!(after.ino(), before.ino(), "the file was replaced");
        assert_eq!(after.mode(), before.mode());
        for name in attached {
            let expected = if name.starts_with("user.") { b"crm".to_vec() } else { list() };
            assert_eq!(attribute(&path, name), expected, "{name} of {}", path.display());
        }
    }
}

#[test]
fn a_link_that_somebody_else_made_leads_to_their_own_file_only() {
    let world = World::with_csv(&people::csv(1..=2));
    let (real, link) = (world.path("real.csv"), world.csv());
    std::fs::rename(&link, &real).unwrap();
    symlink("real.csv", &link).unwrap();
    if !rustix::process::geteuid().is_root() {
        not_checked("only root can make a link that belongs to somebody else");
        return world.sync();
    }
    lchown(&link, Some(OTHER), None).unwrap();
    for arguments in [&["--once"][..], &["plan"], &["check", "--offline"]] {
        let ended = world.run(arguments).expect(2);
        let said = ended.stdout + &ended.stderr;
        let said = said.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(said.contains("is a symbolic link of another user"), "{said}");
    }
    assert_eq!((world.linq().contacts().len(), world.writes()), (0, vec![]));
    chown(&real, Some(OTHER), None).unwrap();
    world.sync();
    world.change("First001", "title", "Chief");
    world.once().expect(0);
    assert!(std::fs::symlink_metadata(&link).unwrap().is_symlink());
    assert_eq!(std::fs::metadata(&real).unwrap().uid(), OTHER, "it stays theirs");
}

#[test]
fn nothing_that_a_file_says_acts_on_the_terminal() {
    const HOSTILE: [char; 6] = ['\u{1b}', '\u{7}', '\r', '\u{202e}', '\u{9b}', '\u{8}'];
    let evil = HOSTILE.map(|c| format!("{c}[2J")).concat();
    let mut world = World::with_csv(&format!(
        "First Name,Last Name,Email,Phone,Title,\"Notes{evil}\"\n\
         \"Ada{evil}\",King,ada@x.example,,\"Boss{evil}\",\"{evil}\"\n\
         \"Bo{evil}\",Wang,bo@x.example,1.4{evil}E+10,,\n\
         \"Twin{evil}\",,twin@x.example,,,\n\"Twin{evil}\",,twin@x.example,,,\n\
         \"Cy{evil}\",Young,cy@x.example,,,\"open{evil}\"tail\n"
    ));
    world.linq().insert([("first_name", "Eve"), ("title", &*evil)]).unwrap();
    let quiet = |world: &World, arguments: &[&str]| {
        let ended = world.run(arguments);
        for (stream, text) in [("stdout", &ended.stdout), ("stderr", &ended.stderr)] {
            for c in HOSTILE {
                assert!(!text.contains(c), "{c:?} on {stream} of {arguments:?}: {text:?}");
            }
        }
        ended.stdout.clone() + &ended.stderr
    };
    let csv = world.csv();
    let csv = csv.to_str().unwrap();
    quiet(&world, &["init", csv, "--config", "other.toml"]);
    for run in 0..2 {
        quiet(&world, &["check"]);
        quiet(&world, &["plan"]);
        let said = quiet(&world, &["--once", "-vv"]);
        assert!(run == 1 || said.contains("created"), "{said}");
        // Both sides edit Ada's title: a conflict to be shown.
        world.edit("\"Boss", "\"Chief");
        let ada = world
            .linq()
            .contacts()
            .into_iter()
            .find(|c| c.email.as_deref() == Some("ada@x.example"));
        world.linq().set(ada.unwrap().id, "title", &format!("Lady{evil}")).unwrap();
        quiet(&world, &["--once", "-vv", "--log-format", "json"]);
        for state in ["in-sync", "conflicts", "ambiguous", "held", "rejected", "duplicates"] {
            quiet(&world, &["list", state]);
        }
        for who in ["row:2", "row:3", "row:4", "row:6", "ada@x.example"] {
            quiet(&world, &["explain", who]);
        }
        quiet(&world, &["status"]);
        quiet(&world, &["history"]);
        quiet(&world, &["history", "--run", "1"]);
        quiet(&world, &["history", "--contact", "ada@x.example"]);
        quiet(&world, &["verify"]);
        quiet(&world, &["undo", "1", "--dry-run"]);
        quiet(&world, &["resolve", &evil, "--take", "source"]);
        quiet(&world, &["explain", &evil]);
        quiet(&world, &["purge", &evil, "--yes"]);
        world.edit("\"Chief", "\"Boss");
    }
    world.set("source.columns.company", "\"Nowhere\"");
    let said = quiet(&world, &["--once"]);
    assert!(said.contains("has no column `Nowhere`"), "{said}");
}
