//! The table of modules in `docs/architecture.md` says what each may use: here it is compared with what each does use.
#![allow(clippy::unwrap_used)]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

type Arrows = BTreeMap<String, BTreeSet<String>>;

/// Rows of the table: a module, and the modules that it depends on.
fn told() -> Arrows {
    let page = fs::read_to_string(root().join("docs/architecture.md")).unwrap();
    let table = page.lines().skip_while(|line| !line.starts_with("| Module |")).skip(2);
    let names = |cell: &str| -> BTreeSet<String> {
        cell.split('`').skip(1).step_by(2).map(|name| name.trim_end_matches('/').to_owned()).collect()
    };
    table
        .take_while(|line| line.starts_with('|'))
        .flat_map(|line| {
            let cells: Vec<&str> = line.trim_matches('|').split(" | ").collect();
            let depends = names(cells.last().unwrap());
            names(cells[0]).into_iter().map(move |module| (module, depends.clone()))
        })
        .collect()
}

/// What the sources of each module name, their tests left out.
fn found() -> Arrows {
    let mut arrows = Arrows::new();
    for entry in fs::read_dir(root().join("src")).unwrap() {
        let path = entry.unwrap().path();
        let module = path.file_stem().unwrap().to_str().unwrap().to_owned();
        if module == "lib" || module == "main" {
            continue;
        }
        let used = arrows.entry(module.clone()).or_default();
        for file in sources(&path) {
            used.extend(uses(&fs::read_to_string(file).unwrap()));
        }
        used.remove(&module);
    }
    arrows
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The Rust files of a module, those of its tests left out.
fn sources(path: &Path) -> Vec<PathBuf> {
    let name = path.file_stem().unwrap().to_str().unwrap();
    if path.is_dir() {
        if name == "tests" {
            return Vec::new();
        }
        return fs::read_dir(path).unwrap().flat_map(|entry| sources(&entry.unwrap().path())).collect();
    }
    let is_source =
        path.extension().is_some_and(|extension| extension == "rs") && name != "tests" && name != "testing";
    if is_source { vec![path.to_owned()] } else { Vec::new() }
}

/// The modules that a file names as `crate::module` or `camloc::module`, up to its tests.
fn uses(text: &str) -> BTreeSet<String> {
    let text = text.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default();
    let code: String = text
        .lines()
        .filter(|line| !line.trim_start().starts_with("//"))
        .map(|line| format!("{line}\n"))
        .collect();
    let after = code.match_indices("crate::").chain(code.match_indices("camloc::"));
    after
        .filter(|(at, _)| {
            !code[..*at].ends_with(|before: char| before.is_alphanumeric() || before == '_' || before == ':')
        })
        .map(|(at, root)| &code[at + root.len()..])
        .map(|rest| {
            rest.chars().take_while(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || *c == '_').collect()
        })
        .filter(|name: &String| !name.is_empty())
        .collect()
}

#[test]
fn each_module_uses_what_the_table_says_and_the_table_says_no_more() {
    let (told, found) = (told(), found());
    let modules = |arrows: &Arrows| arrows.keys().cloned().collect::<Vec<_>>();
    assert_eq!(modules(&told), modules(&found), "the modules of the table, and those there are");
    for (module, used) in &found {
        let used: BTreeSet<&String> = used.iter().filter(|name| found.contains_key(*name)).collect();
        assert_eq!(used, told[module].iter().collect(), "what {module} uses, and what the table says");
    }
}

#[test]
fn no_two_modules_need_each_other() {
    let mut left = told();
    // What needs nothing that is left goes, until nothing is left.
    while let Some(module) = left.iter().find(|(_, needs)| needs.is_empty()).map(|(module, _)| module.clone())
    {
        left.remove(&module);
        left.values_mut().for_each(|needs| {
            needs.remove(&module);
        });
    }
    assert_eq!(left, Arrows::new(), "these go round in a circle");
}
