//! Who calls: the users of this machine by name.
//!
//! Owns the words in which a user is told. Leaves what they decided to whoever remembers
//! it. Names are those of `/etc/passwd`; a user who is not in it is told by number.

use std::fs;

/// The user who started this process, and who they were before `sudo`.
pub fn calling_user() -> String {
    user_text(rustix::process::getuid().as_raw(), sudo_user().as_deref())
}

/// Who this process's user was before `sudo`, if that is how it was started.
pub fn sudo_user() -> Option<String> {
    std::env::var("SUDO_USER").ok()
}

/// The user with this number, and who they say that they were before `sudo`, which only
/// root is believed.
pub fn user_text(uid: u32, sudo_user: Option<&str>) -> String {
    let known = fs::read_to_string("/etc/passwd").unwrap_or_default();
    user_words(uid, name_in(&known, uid), sudo_user.filter(|_| uid == 0))
}

/// The name of a user in the text of a `passwd` file.
fn name_in(known: &str, uid: u32) -> Option<&str> {
    known.lines().find_map(|line| {
        let mut parts = line.split(':');
        let (name, number) = (parts.next()?, parts.nth(1)?);
        (number.parse() == Ok(uid)).then_some(name)
    })
}

fn user_words(uid: u32, name: Option<&str>, sudo_user: Option<&str>) -> String {
    let user = name.map_or_else(|| format!("uid {uid}"), str::to_owned);
    match sudo_user.filter(|before| !before.is_empty() && *before != user) {
        Some(before) => format!("{before} ({user}, with sudo)"),
        None => user,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_user_is_told_by_name_or_number_and_sudo_is_told() {
        let known = "root:x:0:0:root:/root:/bin/sh\nanna:x:1001:1001::/home/anna:/bin/sh\nodd\n";
        assert_eq!(name_in(known, 1001), Some("anna"));
        assert_eq!(name_in(known, 1002), None);
        assert_eq!(user_words(1001, Some("anna"), None), "anna");
        assert_eq!(user_words(1002, None, None), "uid 1002");
        assert_eq!(user_words(0, Some("root"), Some("anna")), "anna (root, with sudo)");
        assert_eq!(user_words(0, Some("root"), Some("root")), "root");
        assert_eq!(user_words(0, Some("root"), Some("")), "root");
        assert_eq!(
            user_text(4_294_967_294, Some("anna")),
            "uid 4294967294",
            "only root is believed"
        );
    }
}
