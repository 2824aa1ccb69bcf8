use serde_json::json;

use super::super::manifest::{FitName, PerChannel, Size};
use super::super::preprocessing::{Channels, Filter};
use super::*;

fn says(name: &str, value: Value) -> Manifest {
    said(name, &value.to_string()).unwrap_or_else(|reason| panic!("{name}: {reason}"))
}

fn list(names: &[&str]) -> Option<LabelSource> {
    Some(LabelSource::List(names.iter().map(|&name| name.to_owned()).collect()))
}

/// Fit, share, size and what a mid-grey pixel becomes.
fn preprocessor(value: Value) -> (Option<FitName>, Option<f64>, Option<(u32, u32)>) {
    let says = says("preprocessor_config.json", value);
    assert_eq!(says.fault(), None);
    (says.fit, says.crop, says.size.map(Size::sides))
}

fn normalised(value: Value, pixel: f64) -> f64 {
    let (mean, std) = says("preprocessor_config.json", value).mean_std().unwrap();
    (pixel - mean[0]) / std[0]
}

#[test]
fn hugging_face_processors_say_how_they_resize_and_cut() {
    let kind = |kind: &str, mut value: Value| {
        value["image_processor_type"] = json!(kind);
        preprocessor(value)
    };
    let squash = |side| (Some(FitName::Squash), None, Some((side, side)));
    let crop = |share, side| (Some(FitName::Crop), Some(share), Some((side, side)));
    assert_eq!(kind("ViTImageProcessor", json!({"size": {"height": 224, "width": 224}})), squash(224));
    assert_eq!(kind("ViTFeatureExtractor", json!({"size": 384})), squash(384));
    let edge = json!({"size": {"shortest_edge": 256}, "crop_size": {"height": 224, "width": 224}});
    assert_eq!(kind("BitImageProcessorFast", edge), crop(0.875, 224));
    let uncropped = json!({"size": {"shortest_edge": 256}, "crop_size": 224, "do_center_crop": false});
    assert_eq!(kind("BitImageProcessor", uncropped), crop(1.0, 256));
    assert_eq!(
        kind("ConvNextImageProcessor", json!({"size": {"shortest_edge": 224}, "crop_pct": 0.9})),
        crop(0.9, 224)
    );
    assert_eq!(
        kind("ConvNextImageProcessor", json!({"size": {"shortest_edge": 384}, "crop_pct": 0.9})),
        squash(384)
    );
    let levit = json!({"size": {"shortest_edge": 224}, "crop_size": {"height": 224, "width": 224}});
    assert_eq!(kind("LevitImageProcessor", levit), crop(0.875, 224));
    let pool =
        json!({"size": {"shortest_edge": 224}, "crop_pct": 0.95, "crop_size": {"height": 224, "width": 224}});
    assert_eq!(kind("PoolFormerImageProcessor", pool), crop(0.95, 224));
    let deit = json!({"size": {"height": 256, "width": 256}, "crop_size": {"height": 224, "width": 224}});
    assert_eq!(kind("DeiTImageProcessor", deit), (Some(FitName::Stretch), Some(0.875), Some((224, 224))));
    assert_eq!(preprocessor(json!({"size": 224})), squash(224));
    assert_eq!(preprocessor(json!({"size": 256, "crop_size": 224})), crop(0.875, 224));
    assert_eq!(preprocessor(json!({"do_resize": false, "size": 224})), (None, None, None));
    let nested = json!({"image_processor": {"size": {"height": 64, "width": 48}}});
    let found = says("processor_config.json", nested);
    assert_eq!(found.size.map(Size::sides), Some((64, 48)));
}

#[test]
fn hugging_face_processors_say_how_they_normalise() {
    let imagenet = json!({"image_mean": [0.5, 0.5, 0.5], "image_std": [0.25, 0.25, 0.25]});
    assert!((normalised(imagenet, 255.0) - 2.0).abs() < 1e-9);
    let plain = json!({"do_normalize": false, "image_mean": [0.5, 0.5, 0.5], "image_std": [0.5, 0.5, 0.5]});
    assert!((normalised(plain, 255.0) - 1.0).abs() < 1e-9);
    let bytes = json!({"do_rescale": false, "do_normalize": false});
    assert!((normalised(bytes, 255.0) - 255.0).abs() < 1e-9);
    let offset = json!({"rescale_factor": 1.0 / 127.5, "rescale_offset": true, "do_normalize": false});
    assert!(
        (normalised(offset.clone(), 255.0) - 1.0).abs() < 1e-9
            && (normalised(offset, 0.0) + 1.0).abs() < 1e-9
    );
    let twice = json!({"image_mean": [0.5, 0.5, 0.5], "image_std": [0.5, 0.5, 0.5], "include_top": true});
    assert!((normalised(twice, 255.0) - 2.0).abs() < 1e-9);
    let flipped = says("preprocessor_config.json", json!({"do_flip_channel_order": true, "resample": 3}));
    assert_eq!((flipped.channels, flipped.filter), (Some(Channels::Bgr), Some(Filter::Bicubic)));
}

#[test]
fn hugging_face_configurations_name_the_classes_once_they_have_names() {
    let named =
        json!({"id2label": {"1": "dog", "0": "cat"}, "label2id": {"cat": 0, "dog": 1}, "image_size": 224});
    let found = says("config.json", named);
    assert_eq!((found.labels, found.size), (list(&["cat", "dog"]), Some(Size::Square(224))));
    let unnamed = json!({"id2label": {"0": "LABEL_0", "1": "LABEL_1"}});
    assert_eq!(says("config.json", unnamed), Manifest::default());
    assert_eq!(says("config.json", json!({"compilerOptions": {}})), Manifest::default(), "somebody else's");
}

#[test]
fn timm_says_all_in_one_file() {
    let config = json!({
        "architecture": "resnet18",
        "pretrained_cfg": {
            "input_size": [3, 240, 256], "interpolation": "bicubic", "crop_pct": 0.95, "crop_mode": "center",
            "mean": [0.5, 0.5, 0.5], "std": [0.25, 0.25, 0.25]
        },
        "label_names": ["n1", "n2"],
        "label_descriptions": {"n1": "tench, fish", "n2": "goldfish, fish"}
    });
    let found = says("config.json", config);
    assert_eq!((found.size, found.filter), (Some(Size::HeightWidth([240, 256])), Some(Filter::Bicubic)));
    assert_eq!((found.fit, found.crop), (Some(FitName::Crop), Some(0.95)));
    assert_eq!(found.mean_std().unwrap().0, [127.5; 3]);
    assert_eq!(found.labels, list(&["tench, fish", "goldfish, fish"]));
    let squash = json!({"pretrained_cfg": {"crop_pct": 1.0, "crop_mode": "squash"}});
    assert_eq!(says("config.json", squash).fit, Some(FitName::Squash));
    let wrapped = json!({"data_config": {"crop_pct": 0.9, "input_size": [3, 64, 64]}});
    assert_eq!(preprocessor(wrapped), (Some(FitName::Crop), Some(0.9), Some((64, 64))));
}

#[test]
fn teachable_machine_takes_the_centre_in_one_to_minus_one() {
    let metadata = json!({"tmVersion": "2.4", "packageName": "@teachablemachine/image", "labels": ["A", "B"], "imageSize": 96});
    let found = says("metadata.json", metadata);
    assert_eq!(
        (found.size, found.crop, &found.labels),
        (Some(Size::Square(96)), Some(1.0), &list(&["A", "B"]))
    );
    assert_eq!(found.mean_std(), Some(([127.5; 3], [127.5; 3])));
    assert_eq!(says("metadata.json", json!({"labels": ["A"]})), Manifest::default(), "somebody else's");
}

#[test]
fn custom_vision_says_it_in_metadata_and_beside_the_file() {
    let metadata = |range: &'static str| {
        custom_vision::metadata(move |key| match key {
            "Image.BitmapPixelFormat" => Some("Bgr8"),
            "Image.NominalPixelRange" => Some(range),
            _ => None,
        })
    };
    let found = metadata("NominalRange_0_255");
    assert_eq!((found.channels, found.mean_std()), (Some(Channels::Bgr), Some(([0.0; 3], [1.0; 3]))));
    assert_eq!(metadata("Normalized_0_1").mean_std(), Some(([0.0; 3], [255.0; 3])));
    assert_eq!(metadata("Normalized_1_1").mean_std(), Some(([127.5; 3], [127.5; 3])));
    let (mean, std) = metadata("NominalRange_16_235").mean_std().unwrap();
    let value = |pixel: f64| (pixel - mean[0]) / std[0];
    assert!((value(0.0) - 16.0).abs() < 1e-9 && (value(255.0) - 235.0).abs() < 1e-9);
    let properties = json!({
        "CustomVision.Preprocess.TargetHeight": "256", "CustomVision.Preprocess.TargetWidth": "256",
        "CustomVision.Preprocess.CropMethod": "CenterCrop",
        "CustomVision.Preprocess.CropHeight": "224", "CustomVision.Preprocess.CropWidth": "224",
        "CustomVision.Preprocess.NormalizeMean": "[123.675, 116.28, 103.53]",
        "CustomVision.Preprocess.NormalizeStd": "[58.395, 57.12, 57.375]"
    });
    let found = says("metadata_properties.json", properties);
    assert_eq!((found.size, found.crop), (Some(Size::HeightWidth([224, 224])), Some(0.875)));
    assert_eq!(found.mean, Some(PerChannel::Each([123.675, 116.28, 103.53])));
    let whole = json!({
        "CustomVision.Preprocess.TargetHeight": "224", "CustomVision.Preprocess.TargetWidth": "224",
        "CustomVision.Preprocess.CropMethod": "FullImageShorterSide",
        "CustomVision.Preprocess.CropHeight": "0", "CustomVision.Preprocess.CropWidth": "0"
    });
    let found = says("metadata_properties.json", whole);
    assert_eq!(
        (found.size, found.fit, found.crop),
        (Some(Size::HeightWidth([224, 224])), Some(FitName::Crop), Some(1.0))
    );
}

#[test]
fn ultralytics_says_its_task() {
    let metadata = |task: &'static str| {
        ultralytics::metadata(move |key| match key {
            "task" => Some(task),
            "names" => Some("{0: 'cat', 1: \"dog's\"}"),
            "imgsz" => Some("[192, 224]"),
            _ => None,
        })
    };
    let found = metadata("classify");
    assert_eq!((found.size, found.crop), (Some(Size::HeightWidth([192, 224])), Some(1.0)));
    assert_eq!(found.mean_std(), Some(([0.0; 3], [255.0; 3])));
    assert_eq!(found.labels, list(&["cat", "dog's"]));
    assert_eq!(metadata("detect").fit, Some(FitName::Letterbox));
    assert_eq!(metadata("something else"), Manifest::default());
    assert_eq!(ultralytics::metadata(|key| (key == "names").then_some("['a']")), Manifest::default());
}

#[test]
fn label_files_are_read_as_what_they_are() {
    assert_eq!(said("labels.txt", "0 Cat\n1 Dog\n").unwrap().labels, list(&["Cat", "Dog"]));
    assert_eq!(says("class_indices.json", json!({"cat": 0, "dog": 1})).labels, list(&["cat", "dog"]));
    assert_eq!(says("labels.json", json!(["cat", "dog"])).labels, list(&["cat", "dog"]));
    assert!(said("config.json", "{\"id2label\": ").unwrap_err().contains("no JSON (line 1"));
    assert!(said("class_indices.json", "{\"a\": 1}").is_err());
    assert!(said("config.json", &"[".repeat(100_000)).is_err(), "nested without end");
}
