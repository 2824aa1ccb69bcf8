//! No two files of a module need each other, directly or through others: whoever reads one need not read them all.
#![allow(clippy::unwrap_used, clippy::panic)]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// What each of a module's parts uses.
type Arrows = BTreeMap<String, BTreeSet<String>>;

#[test]
fn files_of_a_module_do_not_need_each_other_in_circles() {
    for module in ["onnx", "autodiff", "explain"] {
        let arrows = arrows(module);
        assert!(arrows.values().any(|used| !used.is_empty()), "nothing was found in {module}");
        if let Some(circle) = arrows.keys().find_map(|part| circle(&arrows, &mut vec![part.clone()])) {
            panic!("{module}: {}", circle.join(" needs "));
        }
    }
}

#[test]
fn modules_use_only_those_that_they_are_built_on() {
    let above = [("onnx", &["autodiff", "explain"][..]), ("autodiff", &["explain"])];
    for (module, above) in above {
        for file in sources(&root().join(module)) {
            for other in above {
                let used = code(&file).contains(&format!("crate::{other}"));
                assert!(!used, "{} uses {other}", file.display());
            }
        }
    }
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src")
}

/// A way from the end of a path back to a part of it.
fn circle(arrows: &Arrows, path: &mut Vec<String>) -> Option<Vec<String>> {
    for next in &arrows[path.last()?] {
        if let Some(at) = path.iter().position(|part| part == next) {
            return Some([&path[at..], std::slice::from_ref(next)].concat());
        }
        path.push(next.clone());
        if let Some(found) = circle(arrows, path) {
            return Some(found);
        }
        path.pop();
    }
    None
}

fn arrows(module: &str) -> Arrows {
    let folder = root().join(module);
    let declared = code(&folder.join("mod.rs"));
    let parts: BTreeSet<String> = declared
        .lines()
        .filter_map(|line| line.strip_suffix(';')?.rsplit_once("mod ").map(|(_, name)| name.to_owned()))
        .filter(|name| !is_of_tests(&declared, name))
        .collect();
    let homes = homes(&declared);
    let mut arrows: Arrows = parts.iter().map(|part| (part.clone(), BTreeSet::new())).collect();
    for part in &parts {
        let files = [folder.join(format!("{part}.rs")), folder.join(part)];
        for file in files.iter().filter(|path| path.exists()).flat_map(|path| sources(path)) {
            for name in uses(&folder, module, &file) {
                let home = if parts.contains(&name) { Some(&name) } else { homes.get(&name) };
                let home = home.unwrap_or_else(|| panic!("{name} in {} is of no file", file.display()));
                if home != part {
                    arrows.get_mut(part).unwrap().insert(home.clone());
                }
            }
        }
    }
    arrows
}

/// Whether a module is declared for tests alone.
fn is_of_tests(declared: &str, name: &str) -> bool {
    declared.contains(&format!("#[cfg(test)]\nmod {name};"))
}

/// Which file each item comes from that a module's front hands on.
fn homes(declared: &str) -> BTreeMap<String, String> {
    let statements = declared.split(';').filter_map(|statement| statement.split_once("use "));
    let mut homes = BTreeMap::new();
    for (_, path) in statements {
        let (home, names) = path.split_once("::").unwrap();
        let words = names.split(|letter: char| !letter.is_alphanumeric() && letter != '_');
        homes.extend(words.filter(|word| !word.is_empty()).map(|word| (word.to_owned(), home.to_owned())));
    }
    homes
}

/// The Rust files of a part, those of its tests left out.
fn sources(path: &Path) -> Vec<PathBuf> {
    const TESTS: [&str; 3] = ["tests", "check", "hostile"];
    let name = path.file_stem().unwrap().to_str().unwrap();
    let of_tests = name == "tests" || TESTS.contains(&name) && path.parent().unwrap().ends_with("autodiff");
    if of_tests {
        return Vec::new();
    }
    if path.is_dir() {
        return fs::read_dir(path).unwrap().flat_map(|entry| sources(&entry.unwrap().path())).collect();
    }
    if path.extension().is_some_and(|extension| extension == "rs") {
        vec![path.to_owned()]
    } else {
        Vec::new()
    }
}

/// The code of a file without comments and tests.
fn code(file: &Path) -> String {
    let text = fs::read_to_string(file).unwrap();
    let text = text.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default();
    let lines = text.lines().filter(|line| !line.trim_start().starts_with("//"));
    lines.map(|line| format!("{line}\n")).collect()
}

/// What a file names of the module that it is within: the first name after the way up to it.
fn uses(folder: &Path, module: &str, file: &Path) -> BTreeSet<String> {
    let within = file.strip_prefix(folder).unwrap().with_extension("");
    let depth = within.iter().filter(|name| *name != "mod").count();
    let code = code(file);
    let mut found = BTreeSet::new();
    for way in ["super::".repeat(depth), format!("crate::{module}::")] {
        for (at, _) in code.match_indices(&way) {
            let before = code[..at].chars().next_back();
            let goes_on =
                before.is_some_and(|letter| letter.is_alphanumeric() || letter == ':' || letter == '_');
            let rest = &code[at + way.len()..];
            if !goes_on && !rest.starts_with("super::") {
                found.extend(first_names(rest));
            }
        }
    }
    found
}

/// The first name of a path, or of each path between braces.
fn first_names(path: &str) -> Vec<String> {
    let first = |path: &str| -> String {
        path.trim_start().chars().take_while(|letter| letter.is_alphanumeric() || *letter == '_').collect()
    };
    let mut names = vec![String::new()];
    if path.starts_with('{') {
        let mut depth = 0;
        let mut starts = vec![1];
        for (at, letter) in path.char_indices() {
            depth += i32::from(letter == '{') - i32::from(letter == '}');
            if depth == 0 {
                break;
            }
            if letter == ',' && depth == 1 {
                starts.push(at + 1);
            }
        }
        names = starts.into_iter().map(|at| first(&path[at..])).collect();
    } else {
        names[0] = first(path);
    }
    names.retain(|name| !name.is_empty() && name != "self");
    names
}
