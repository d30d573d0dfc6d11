//! Readers beside a writer that is just then doing something: what it does comes in front of a
//! chosen look of theirs.

use std::convert::Infallible;
use std::ffi::OsString;
use std::fmt;
use std::fs::{self, File};
use std::io;
use std::ops::{ControlFlow, Range};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};

use memmap2::MmapRaw;
use uncross_journal::{
    Access, Extent, Folder, Hold, OpenError, ReadError, Reader, Record, Start, Storage, Stored,
    examine,
};

use crate::support::{append, files, image, never_flushing, settings, writer};

type BeforeRead = dyn FnMut(&Path) + Send;
type Listed = dyn FnMut(&mut Vec<OsString>) + Send;

/// The disk of the operating system, to be read only.
#[derive(Clone)]
struct Watched {
    /// Called with the path in front of each read.
    before_read: Arc<Mutex<BeforeRead>>,
    /// Called with the names that each listing gives.
    listed: Arc<Mutex<Listed>>,
    /// How often somebody else still holds the lock.
    held: Arc<AtomicU32>,
}

impl Watched {
    fn new() -> Self {
        Self {
            before_read: Arc::new(Mutex::new(|_: &Path| {})),
            listed: Arc::new(Mutex::new(|_: &mut _| {})),
            held: Arc::default(),
        }
    }

    fn reading(before_read: impl FnMut(&Path) + Send + 'static) -> Self {
        Self { before_read: Arc::new(Mutex::new(before_read)), ..Self::new() }
    }

    fn listing(listed: impl FnMut(&mut Vec<OsString>) + Send + 'static) -> Self {
        Self { listed: Arc::new(Mutex::new(listed)), ..Self::new() }
    }

    fn held(times: u32) -> Self {
        Self { held: Arc::new(AtomicU32::new(times)), ..Self::new() }
    }

    fn reader(self, dir: &Path) -> Reader {
        Reader::open(Folder::on(Some(Arc::new(self)), dir)).unwrap()
    }
}

impl fmt::Debug for Watched {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Watched")
    }
}

/// An open file of it.
#[derive(Debug)]
struct WatchedFile {
    disk: Watched,
    path: PathBuf,
    file: File,
}

fn changed<T>() -> io::Result<T> {
    panic!("a reader changes nothing")
}

impl Storage for Watched {
    fn exists(&self, path: &Path) -> io::Result<bool> {
        path.try_exists()
    }

    fn len_bytes(&self, path: &Path) -> io::Result<u64> {
        Ok(fs::metadata(path)?.len())
    }

    fn create_folder(&self, _path: &Path) -> io::Result<()> {
        changed()
    }

    fn list(&self, dir: &Path) -> io::Result<Vec<OsString>> {
        let mut names: Vec<_> =
            fs::read_dir(dir)?.map(|entry| Ok(entry?.file_name())).collect::<io::Result<_>>()?;
        self.listed.lock().unwrap()(&mut names);
        Ok(names)
    }

    fn open(&self, path: &Path, access: Access) -> io::Result<Box<dyn Stored>> {
        assert_eq!(access, Access::Read);
        let file = File::open(path)?;
        Ok(Box::new(WatchedFile { disk: self.clone(), path: path.to_owned(), file }))
    }

    fn rename(&self, _from: &Path, _to: &Path) -> io::Result<()> {
        changed()
    }

    fn remove(&self, _path: &Path) -> io::Result<()> {
        changed()
    }

    fn sync_folder(&self, _dir: &Path) -> io::Result<()> {
        changed()
    }
}

impl Stored for WatchedFile {
    fn len_bytes(&self) -> io::Result<u64> {
        Stored::len_bytes(&self.file)
    }

    fn read_at(&self, bytes: &mut [u8], offset: u64) -> io::Result<usize> {
        self.disk.before_read.lock().unwrap()(&self.path);
        Stored::read_at(&self.file, bytes, offset)
    }

    fn write_at(&self, _bytes: &[u8], _offset: u64) -> io::Result<usize> {
        changed()
    }

    fn set_len(&self, _len_bytes: u64) -> io::Result<()> {
        changed()
    }

    fn reserve(&self, _len_bytes: u64) -> io::Result<()> {
        changed()
    }

    fn map(&self) -> io::Result<MmapRaw> {
        changed()
    }

    fn sync_pages(&self, _map: &MmapRaw, _range: Range<u64>) -> io::Result<()> {
        changed()
    }

    fn sync(&self, _extent: Extent) -> io::Result<()> {
        changed()
    }

    fn set_read_only(&self) -> io::Result<()> {
        changed()
    }

    fn lock(&self, hold: Hold) -> io::Result<bool> {
        assert_eq!(hold, Hold::Shared);
        // Relaxed: one thread looks.
        let less = |held: u32| held.checked_sub(1);
        Ok(self.disk.held.fetch_update(Ordering::Relaxed, Ordering::Relaxed, less).is_err())
    }
}

#[test]
fn what_is_appended_between_two_looks_at_the_end_is_no_torn_tail() {
    const FIRST: u64 = 20;
    // Whichever look it comes before: at this record, again, at what follows it, and so on; and
    // whether it ends in this segment or the next one.
    for (look, last) in (1..=12).flat_map(|look| [(look, FIRST + 3), (look, FIRST + 600)]) {
        let dir = tempfile::tempdir().unwrap();
        let mut writer = writer(dir.path(), &never_flushing());
        append(&mut writer, 1, FIRST);
        let mut looks = 0;
        let appending = move |path: &Path| {
            let is_open = path.extension().is_some_and(|it| it == "open" || it == "pre");
            looks += u64::from(is_open);
            if is_open && looks == look {
                append(&mut writer, FIRST + 1, last);
            }
        };
        let reader = Watched::reading(appending).reader(dir.path());
        let end = reader.for_each(|_| Ok::<_, Infallible>(())).unwrap();
        assert_eq!(end.torn, None, "at look {look}");
        assert!(end.last_seq == FIRST || end.last_seq == last, "at look {look}: {end:?}");
    }
}

#[test]
fn a_seal_that_comes_between_two_looks_leaves_no_torn_tail() {
    const FIRST: u64 = 20;
    let dir = tempfile::tempdir().unwrap();
    let mut writer = writer(dir.path(), &never_flushing());
    append(&mut writer, 1, FIRST);
    let before = image(dir.path());
    append(&mut writer, FIRST + 1, 700);
    writer.close().unwrap();
    let sealed = fs::read(files(dir.path(), "seg").remove(0)).unwrap();
    // A writer that is yet to begin the next segment has only filled this one.
    for look in 1..=12 {
        let dir = image(before.path());
        let (mut looks, sealed) = (0, sealed.clone());
        let fill = move |path: &Path| {
            let is_open = path.extension().is_some_and(|it| it == "open");
            looks += u64::from(is_open);
            if is_open && looks == look {
                let file = fs::OpenOptions::new().write(true).open(path).unwrap();
                Stored::write_at(&file, &sealed, 0).unwrap();
            }
        };
        let reader = Watched::reading(fill).reader(dir.path());
        let end = reader.for_each(|_| Ok::<_, Infallible>(())).unwrap();
        assert_eq!(end.torn, None, "at look {look}");
        assert!(end.last_seq == FIRST || 300 < end.last_seq, "at look {look}: {end:?}");
    }
}

#[test]
fn a_name_that_a_listing_missed_because_it_changed_is_looked_for_again() {
    let dir = tempfile::tempdir().unwrap();
    let mut writer = writer(dir.path(), &settings());
    append(&mut writer, 1, 1_500);
    writer.close().unwrap();
    let sealed = files(dir.path(), "seg").pop().unwrap();
    for listing in 1..=4 {
        let (missed, mut listings) = (sealed.file_name().unwrap().to_owned(), 0);
        let hide = move |names: &mut Vec<OsString>| {
            listings += 1;
            names.retain(|name| listings != listing || *name != missed);
        };
        let reader = Watched::listing(hide).reader(dir.path());
        let mut seqs = Vec::new();
        let each = |record: Record<'_>, _| {
            seqs.push(record.seq);
            Ok::<_, Infallible>(ControlFlow::Continue(()))
        };
        let end = reader.read_from(Start::Seq(1_499), each).unwrap();
        assert_eq!((end.last_seq, seqs), (1_500, vec![1_499, 1_500]), "listing {listing}");
    }
}

#[test]
fn a_lock_that_is_let_go_soon_is_waited_for() {
    let dir = tempfile::tempdir().unwrap();
    append(&mut writer(dir.path(), &settings()), 1, 3);
    let look = |disk: &Watched| examine(Folder::on(Some(Arc::new(disk.clone())), dir.path()));
    let soon = Watched::held(3);
    look(&soon).unwrap();
    assert_eq!(soon.held.load(Ordering::Relaxed), 0);
    let never = look(&Watched::held(u32::MAX)).unwrap_err();
    assert!(matches!(never, OpenError::Locked { owner_pid: Some(_), .. }), "{never}");
}

#[test]
fn a_mark_that_is_being_made_is_that_of_a_new_journal() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("durable"), []).unwrap();
    let reader = Reader::open(dir.path()).unwrap();
    assert_eq!((reader.durable_seq(), reader.first_seq()), (0, 1));
    fs::write(dir.path().join("durable"), [0xA5; 1_024]).unwrap();
    let error = Reader::open(dir.path()).unwrap_err();
    assert!(matches!(error, ReadError::WatermarkDamaged { .. }), "{error}");
    fs::remove_file(dir.path().join("durable")).unwrap();
    // Behind it there is a segment from the first record on.
    append(&mut writer(dir.path(), &settings()), 1, 3);
    fs::write(dir.path().join("durable"), []).unwrap();
    let error = Reader::open(dir.path()).unwrap_err();
    assert!(matches!(error, ReadError::WatermarkDamaged { .. }), "{error}");
}
