//! Tests of fetching, with a shell script for pip that logs its calls and serves a wheel made here.
#![cfg(unix)]

use std::io::Write;
use std::sync::Barrier;
use std::thread;

use super::*;

const CONTENT: &[u8] = b"a library";

struct Bench {
    dir: tempfile::TempDir,
    store: Store,
}

/// A store for which `serve`, in shell, plays `pip download` into `$dest` with the wheel at `$wheel`.
fn bench(serve: &str) -> Bench {
    let dir = tempfile::tempdir().unwrap();
    let wheel = dir.path().join("made.whl");
    let mut writer = zip::ZipWriter::new(File::create(&wheel).unwrap());
    writer.start_file("runtime/lib/library", zip::write::SimpleFileOptions::default()).unwrap();
    writer.write_all(CONTENT).unwrap();
    writer.finish().unwrap();

    let script = dir.path().join("pip.sh");
    let text = format!(
        "[ \"$1\" = --version ] && exit 0\necho called >> '{0}/calls'\nwheel='{0}/made.whl'\n\
         while [ $# -gt 1 ]; do [ \"$1\" = --dest ] && dest=$2; shift; done\n{serve}\n",
        dir.path().display()
    );
    fs::write(&script, text).unwrap();

    let (bytes, hash) = (fs::metadata(&wheel).unwrap().len(), digest::of_file(&wheel).unwrap());
    let manifest: Manifest = toml::from_str(&format!(
        "[onnxruntime]\nwhat = \"the runtime\"\npackage = \"p\"\nversion = \"1\"\npython = \"312\"\n\
         instead = \"set CAMLOC_ORT_DYLIB\"\n[onnxruntime.wheels.any]\nplatform = \"any\"\n\
         file = \"p-1.whl\"\nbytes = {bytes}\nsha256 = \"{hash}\"\n\
         members = [{{ path = \"runtime/lib/library\", bytes = {} }}]\n",
        CONTENT.len()
    ))
    .unwrap();
    let mut store = Store::at(dir.path().join("cache"));
    store.manifest = Box::leak(Box::new(manifest));
    store.pip = Pip(vec![vec!["camloc-no-such-pip".into()], vec!["sh".into(), script.into()]]);
    Bench { dir, store }
}

impl Bench {
    fn get(&self) -> Result<PathBuf, AssetError> {
        self.store.get(Asset::OnnxRuntime, &mut |_| ())
    }

    fn calls(&self) -> usize {
        fs::read_to_string(self.dir.path().join("calls")).unwrap_or_default().lines().count()
    }

    /// Nothing usable is there, and nothing half-done lies about.
    fn assert_empty(&self) {
        assert_eq!(self.store.cached(Asset::OnnxRuntime), None);
        let left = fs::read_dir(self.store.dir()).into_iter().flatten().flatten();
        let names: Vec<_> = left.map(|entry| entry.file_name()).collect();
        assert!(names.iter().all(|name| name == "tmp" || name == "locks"), "{names:?}");
        assert_eq!(fs::read_dir(self.store.dir().join("tmp")).map_or(0, Iterator::count), 0);
    }
}

#[test]
fn an_asset_is_fetched_once_and_then_found() {
    let bench = bench("cp \"$wheel\" \"$dest/p-1.whl\"");
    assert_eq!(bench.store.cached(Asset::OnnxRuntime), None);
    let mut steps = Vec::new();
    let file = bench.store.get(Asset::OnnxRuntime, &mut |progress| steps.push(progress.step)).unwrap();
    assert_eq!(fs::read(&file).unwrap(), CONTENT);
    assert!(steps.starts_with(&[Step::Downloading]) && steps.ends_with(&[Step::Unpacking, Step::Done]));

    assert_eq!(bench.store.get(Asset::OnnxRuntime, &mut |_| panic!("nothing to do")).unwrap(), file);
    assert_eq!(bench.store.cached(Asset::OnnxRuntime), Some(file));
    assert_eq!(bench.calls(), 1);
}

#[test]
fn another_wheel_than_the_pinned_one_is_not_kept() {
    let bench = bench("{ cat \"$wheel\"; echo more; } > \"$dest/p-1.whl\"");
    let error = bench.get().unwrap_err();
    assert!(matches!(error, AssetError::WrongHash { .. }), "{error}");
    bench.assert_empty();
}

#[test]
fn a_half_download_is_never_used() {
    let bench = bench("head -c 20 \"$wheel\" > \"$dest/p-1.whl\"; exit 1");
    assert!(matches!(bench.get().unwrap_err(), AssetError::Pip { .. }));
    bench.assert_empty();
}

#[test]
fn what_a_killed_process_left_behind_is_not_in_the_way() {
    let bench = bench("cp \"$wheel\" \"$dest/p-1.whl\"");
    let left = bench.store.dir().join("tmp/onnxruntime/unpacked");
    fs::create_dir_all(&left).unwrap();
    fs::write(left.join("library"), "half").unwrap();
    assert_eq!(fs::read(bench.get().unwrap()).unwrap(), CONTENT);
}

#[test]
fn a_damaged_file_is_fetched_again() {
    let bench = bench("cp \"$wheel\" \"$dest/p-1.whl\"");
    let file = bench.get().unwrap();
    for damaged in ["cut", "A library"] {
        fs::write(&file, damaged).unwrap();
        assert_eq!(bench.store.damaged().len(), 1);
        assert_eq!(bench.store.cached(Asset::OnnxRuntime), None);
        assert_eq!(fs::read(bench.get().unwrap()).unwrap(), CONTENT);
        assert!(bench.store.damaged().is_empty());
    }
}

#[test]
fn the_reason_of_a_failing_pip_is_told() {
    let bench = bench("echo 'ERROR: the mirror is tired' >&2; exit 1");
    let message = bench.get().unwrap_err().to_string();
    assert!(message.contains("the mirror is tired") && message.contains("CAMLOC_ORT_DYLIB"), "{message}");
    bench.assert_empty();
}

#[test]
fn without_pip_the_message_says_what_to_install() {
    let mut bench = bench("");
    bench.store.pip.0.truncate(1);
    let error = bench.get().unwrap_err();
    assert!(matches!(error, AssetError::NoPip { .. }), "{error}");
    bench.assert_empty();
}

#[test]
fn of_two_at_once_one_fetches_and_the_other_waits() {
    let bench = bench("sleep 0.5; cp \"$wheel\" \"$dest/p-1.whl\"");
    let start = Barrier::new(2);
    thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                start.wait();
                assert_eq!(fs::read(bench.get().unwrap()).unwrap(), CONTENT);
            });
        }
    });
    assert_eq!(bench.calls(), 1);
}

#[test]
fn a_cache_that_cannot_be_written_is_named() {
    let bench = bench("cp \"$wheel\" \"$dest/p-1.whl\"");
    // A file where the folder should be; permissions do not stop root.
    fs::write(bench.store.dir(), "").unwrap();
    let message = bench.get().unwrap_err().to_string();
    assert!(message.contains("cache") && message.contains("CAMLOC_CACHE"), "{message}");

    let denied = bench.store.failed(io::ErrorKind::PermissionDenied.into());
    assert!(matches!(denied, AssetError::CacheNotWritable { .. }));
    let full = bench.store.failed(io::ErrorKind::StorageFull.into());
    assert!(matches!(full, AssetError::DiskFull { .. }));
}

#[test]
fn a_full_read_only_cache_serves() {
    use std::os::unix::fs::PermissionsExt;
    let bench = bench("cp \"$wheel\" \"$dest/p-1.whl\"");
    let file = bench.get().unwrap();
    fs::remove_dir_all(bench.store.dir().join("locks")).unwrap();
    fs::set_permissions(bench.store.dir(), fs::Permissions::from_mode(0o555)).unwrap();
    assert_eq!(bench.get().unwrap(), file);
    assert!(!bench.store.dir().join("locks").exists(), "looking must not write");
}
