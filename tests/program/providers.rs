//! What runs the model: by name or not at all, and always told.

use super::support::{assert_refused, camloc, cat, folder, json_lines, run, sample_photos, stdout, text};

#[test]
fn a_provider_that_is_not_at_hand_ends_the_run_with_the_way_to_get_it() {
    let empty = folder();
    for (name, shown) in [("cuda", "CUDA"), ("openvino", "OpenVINO"), ("webgpu", "WebGPU")] {
        let mut command = camloc();
        command.args(["image", text(&cat()), "--json", "-", "--provider", name]);
        // An own library would be asked for CUDA itself.
        let empty_cache = command.env("CAMLOC_CACHE", empty.path()).env_remove("CAMLOC_ORT_DYLIB");
        if name == "webgpu" {
            // The plugin comes on top of the library, which is fetched in any case.
            empty_cache.env("CAMLOC_ORT_DYLIB", library()).env_remove("CAMLOC_ORT_PLUGIN");
            let output = empty_cache.output().unwrap();
            assert_refused(&output, 1, &[shown, "camloc doctor --provider webgpu"]);
            continue;
        }
        let remedy = format!("camloc setup --provider {name}");
        assert_refused(&empty_cache.output().unwrap(), 1, &[shown, &remedy, "CAMLOC_ORT_DYLIB"]);
    }
    assert_refused(
        &run(["image", text(&cat()), "--json", "-", "--provider", "gpu"]),
        2,
        &["\"gpu\"", "webgpu"],
    );
}

/// The library that the other tests use.
fn library() -> std::path::PathBuf {
    use camloc::assets::{Asset, Store};
    Store::open().unwrap().get(Asset::OnnxRuntime, &mut |_| {}).unwrap()
}

#[test]
fn the_first_line_names_the_provider_that_ran_and_the_others_do_not_repeat_it() {
    let photos = [cat(), sample_photos().join("coffee.png")];
    let output = run(["image", text(&photos[0]), text(&photos[1]), "--json", "-", "--provider", "cpu"]);
    let lines = json_lines(&stdout(&output));
    assert_eq!(lines[0]["made_by"]["provider"], "CPU");
    assert!(lines[0]["made_by"]["nodes"]["CPU"].as_u64().unwrap() > 50, "{}", lines[0]);
    assert!(lines[1].get("made_by").is_none(), "{}", lines[1]);
}

#[test]
fn the_doctor_tries_the_provider_it_is_asked_about() {
    let said = stdout(&run(["doctor", "--provider", "cpu"]));
    assert!(said.contains("EfficientNet-Lite0 on CPU; loaded in"), "{said}");
    assert!(said.contains("maps 0e0 of their range off"), "{said}");
}
