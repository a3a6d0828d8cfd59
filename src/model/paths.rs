//! Paths as people type them.

use std::collections::VecDeque;
use std::path::{Component, Path, PathBuf};

/// Links that are followed on the way to a directory: more lead in circles.
const LINKS: usize = 40;

/// Whether a text may stand before `://`: any other text with that in it is a path.
pub fn is_scheme(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_alphabetic())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'-' | b'.'))
}

/// A path as it was typed, where `~` at its beginning stands for the user's home: in a setting, behind `=` and in our own
/// shell, no other one has put it there.
pub fn home_path(typed: &Path) -> PathBuf {
    match typed.strip_prefix("~") {
        Ok(below) => dirs::home_dir().map_or_else(|| typed.to_owned(), |home| home.join(below)),
        Err(_) => typed.to_owned(),
    }
}

/// The absolute path of what a path means, without `.`, `..` and links, as far as it is there.
///
/// # Errors
/// When the working directory is gone, or links lead in circles.
pub fn resolve(path: &Path) -> std::io::Result<PathBuf> {
    let parts = |path: &Path| path.components().map(|part| PathBuf::from(part.as_os_str())).collect::<VecDeque<_>>();
    let mut ahead = parts(&std::path::absolute(path)?);
    let mut resolved = PathBuf::new();
    let mut links = 0;
    while let Some(part) = ahead.pop_front() {
        match part.components().next() {
            Some(Component::ParentDir) => drop(resolved.pop()),
            Some(Component::Normal(name)) => match std::fs::read_link(resolved.join(name)) {
                Ok(_) if links == LINKS => {
                    return Err(std::io::Error::other(format!("{} leads in circles", resolved.join(name).display())));
                }
                Ok(target) => {
                    links += 1;
                    let mut through = parts(&target);
                    through.append(&mut ahead);
                    ahead = through;
                }
                // No link: a directory, or nothing yet.
                Err(_) => resolved.push(name),
            },
            Some(Component::CurDir) | None => {}
            Some(Component::RootDir | Component::Prefix(_)) => resolved.push(part),
        }
    }
    Ok(resolved)
}

/// The first link of a path that leads into nothing.
pub fn dangling_link(path: &Path) -> Option<PathBuf> {
    let absolute = std::path::absolute(path).ok()?;
    let mut links: Vec<&Path> = absolute.ancestors().collect();
    links.reverse();
    links.into_iter().find(|path| path.is_symlink() && !path.exists()).map(Path::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_mean_what_the_file_system_takes_them_for() {
        let dir = tempfile::tempdir().unwrap();
        let root = std::fs::canonicalize(dir.path()).unwrap();
        std::fs::create_dir_all(root.join("a/b")).unwrap();
        assert_eq!(resolve(&root.join("a/../c/./d/")).unwrap(), root.join("c/d"));
        assert_eq!(resolve(&root.join("nothing/../c")).unwrap(), root.join("c"));
        assert_eq!(resolve(Path::new("/../..")).unwrap(), Path::new("/"));
        #[cfg(unix)]
        {
            use std::os::unix::fs::symlink;
            symlink("a/b", root.join("link")).unwrap();
            symlink(root.join("later"), root.join("dangling")).unwrap();
            symlink("circle", root.join("circle")).unwrap();
            // Up from where the link leads, not from where it lies.
            assert_eq!(resolve(&root.join("link/../c")).unwrap(), root.join("a/c"));
            assert_eq!(resolve(&root.join("dangling/x")).unwrap(), root.join("later/x"));
            assert!(resolve(&root.join("circle")).unwrap_err().to_string().ends_with("leads in circles"));
            assert_eq!(dangling_link(&root.join("link/dangling/../x")), None);
            assert_eq!(dangling_link(&root.join("dangling/x")), Some(root.join("dangling")));
        }
    }

    #[test]
    fn a_home_is_put_in_where_no_shell_has() {
        let home = dirs::home_dir().unwrap();
        assert_eq!(home_path(Path::new("~")), home);
        assert_eq!(home_path(Path::new("~/a b")), home.join("a b"));
        for other in ["~user/x", "./~", "a/~/b", "~~", ""] {
            assert_eq!(home_path(Path::new(other)), Path::new(other));
        }
    }

    #[test]
    fn schemes_are_words() {
        assert!(["s3", "file", "memory", "abfss", "x+y"].into_iter().all(is_scheme));
        assert!(["", "./a", "a b", "..", "3s", "é"].into_iter().all(|text| !is_scheme(text)));
    }
}
