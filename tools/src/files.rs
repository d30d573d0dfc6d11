//! What commands ask of files before they touch them.

use std::{
    fs::{self, File, Metadata},
    os::unix::fs::MetadataExt,
    path::Path,
};

/// The folder that a path lies in.
pub(crate) fn parent(path: &Path) -> &Path {
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty());
    parent.unwrap_or(Path::new("."))
}

/// Whether what is open is what has this path by now. Who waited for a lock asks that: whoever had
/// it before may have given the file another name, or removed it.
pub(crate) fn is_at(file: &File, path: &Path) -> bool {
    let id = |metadata: Metadata| (metadata.dev(), metadata.ino());
    match (file.metadata(), fs::symlink_metadata(path)) {
        (Ok(open), Ok(named)) => id(open) == id(named),
        _ => false,
    }
}
