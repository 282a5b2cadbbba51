//! One flipped bit, anywhere in a folder.

use std::{fs, os::unix::fs::FileExt, path::Path, process::Output};

use parkwatt::host::VKEY_FILE;

use crate::{
    check,
    day::{Day, files},
    run,
};

/// Flips a bit of a byte, runs the auditor, and flips it back.
fn with_flipped_byte(path: &Path, offset: u64, dir: &Path) -> Output {
    let mut permissions = fs::metadata(path).unwrap().permissions();
    #[expect(clippy::permissions_set_readonly_false, reason = "the file is this test's own")]
    permissions.set_readonly(false);
    fs::set_permissions(path, permissions).unwrap();
    let file = fs::OpenOptions::new().read(true).write(true).open(path).unwrap();
    let mut byte = [0];
    file.read_exact_at(&mut byte, offset).unwrap();
    file.write_all_at(&[byte[0] ^ (1 << (offset % 8))], offset).unwrap();
    let output = run(&["verify", "--quiet"], dir);
    file.write_all_at(&byte, offset).unwrap();
    output
}

/// Flips each of these bytes of a file, and expects each to be found, with the file's name.
fn every_flip_is_found(path: &Path, offsets: impl IntoIterator<Item = u64>, dir: &Path) {
    let name = path.file_name().unwrap().to_str().unwrap();
    for offset in offsets {
        let output = with_flipped_byte(path, offset, dir);
        let said = String::from_utf8(output.stdout).unwrap();
        assert_eq!(output.status.code(), Some(1), "byte {offset} of {name}: {said}");
        assert!(said.contains(name), "byte {offset} of {name}: {said}");
    }
}

#[test]
fn a_flipped_bit_anywhere_in_the_journal_is_found_and_its_file_named() {
    let dir = Day::whole().write_archive();
    for path in files(&dir.path().join("journal")) {
        let bytes = fs::read(&path).unwrap();
        let used = bytes.iter().rposition(|&byte| byte != 0).map_or(0, |last| last as u64 + 1);
        every_flip_is_found(&path, (0..used).step_by(37), dir.path());
        every_flip_is_found(&path, (used..bytes.len() as u64).step_by(1009), dir.path());
    }
    check(&["replay"], dir.path(), 0);
}

#[test]
fn a_flipped_bit_anywhere_in_the_key_is_found_and_its_file_named() {
    let dir = Day::whole().write_archive();
    let path = dir.path().join(VKEY_FILE);
    every_flip_is_found(&path, 0..fs::metadata(&path).unwrap().len(), dir.path());
}

#[test]
fn a_flipped_bit_in_the_store_is_found_or_changes_nothing_and_crashes_nobody() {
    let dir = Day::whole().write_whole();
    let mut found = 0;
    for path in files(&dir.path().join("sled")) {
        let len = fs::metadata(&path).unwrap().len();
        for offset in (0..len).step_by(usize::try_from(len / 24 + 1).unwrap()) {
            let output = with_flipped_byte(&path, offset, dir.path());
            let said = String::from_utf8(output.stdout).unwrap();
            match output.status.code() {
                Some(0) => {}
                Some(1) => {
                    assert!(said.contains("/sled: the store"), "{said}");
                    found += 1;
                }
                other => panic!("byte {offset} of {}: {other:?} {said}", path.display()),
            }
        }
    }
    assert!(found > 0);
}
