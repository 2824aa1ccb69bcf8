use super::Format;

/// Why a dataset can't be evaluated at all.
#[derive(Debug, thiserror::Error)]
pub(crate) enum DatasetError {
    /// No such file or folder.
    #[error("{name} does not exist")]
    Missing {
        /// The path as given.
        name: String,
    },
    /// Nothing that looks like ground truth.
    #[error(
        "{name} holds no ground truth that camloc knows: a boxes.csv, Pascal VOC .xml, COCO .json, YOLO labels/*.txt \
         or a masks folder beside the images (docs/evaluating.md)"
    )]
    NoFormat {
        /// The path as given.
        name: String,
    },
    /// A file of the ground truth can't be read.
    #[error("{name} can't be read: {}", .source.kind())]
    Unreadable {
        /// The file.
        name: String,
        /// What the system said.
        source: std::io::Error,
    },
    /// A file is not of the format that it should have.
    #[error("{name} is not {format}: {reason}")]
    Malformed {
        /// The file.
        name: String,
        /// The format.
        format: Format,
        /// What is wrong with it.
        reason: String,
    },
    /// A folder holds more than one dataset.
    #[error("{name} holds {count} COCO files: give one of them, such as {first}")]
    SeveralParts {
        /// The folder.
        name: String,
        /// How many files.
        count: usize,
        /// One of them.
        first: String,
    },
    /// Not one box or mask.
    #[error("{name} has no box or mask to compare with{}", because(.faults))]
    NoTruth {
        /// The path as given.
        name: String,
        /// How it was read.
        format: Format,
        /// What was wrong with what was there; empty where nothing was.
        faults: String,
    },
}

fn because(faults: &str) -> String {
    if faults.is_empty() { String::new() } else { format!(": {faults}") }
}

impl DatasetError {
    pub(super) fn unreadable(path: &std::path::Path, source: std::io::Error) -> DatasetError {
        DatasetError::Unreadable { name: path.display().to_string(), source }
    }
}
