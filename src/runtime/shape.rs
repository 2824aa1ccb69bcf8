//! Shapes as ONNX Runtime tells them, where -1 is an open size.

use std::fmt::Display;

/// The shape to run with: `asked` where it fits `declared`, else `declared` with an open batch taken as 1.
///
/// `None` where a size stays open, or where `asked` contradicts `declared`.
pub(super) fn fixed_shape(declared: &[i64], asked: Option<&[usize]>) -> Option<Vec<usize>> {
    match asked {
        Some(asked) => {
            let fits = declared.len() == asked.len()
                && declared.iter().zip(asked).all(|(&size, &want)| {
                    want > 0 && (size < 0 || usize::try_from(size).is_ok_and(|size| size == want))
                });
            fits.then(|| asked.to_vec())
        }
        None => declared
            .iter()
            .enumerate()
            .map(|(axis, &size)| match usize::try_from(size) {
                Ok(size) => (size > 0).then_some(size),
                Err(_) => (axis == 0).then_some(1),
            })
            .collect(),
    }
}

/// Sizes as text, `?` for open ones: `?x3x224x224`.
pub(super) fn shape_text<T: Display + PartialOrd + Default>(shape: &[T]) -> String {
    let sizes: Vec<String> = shape
        .iter()
        .map(|size| if *size < T::default() { "?".to_owned() } else { size.to_string() })
        .collect();
    sizes.join("x")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_open_batch_is_one_and_other_open_sizes_must_be_given() {
        assert_eq!(fixed_shape(&[-1, 3, 8, 8], None), Some(vec![1, 3, 8, 8]));
        assert_eq!(fixed_shape(&[1, 3, -1, -1], None), None);
        assert_eq!(fixed_shape(&[-1, 3, -1, -1], Some(&[4, 3, 8, 9])), Some(vec![4, 3, 8, 9]));
    }

    #[test]
    fn a_fixed_size_cannot_be_changed() {
        assert_eq!(fixed_shape(&[1, 3, 8, 8], Some(&[2, 3, 8, 8])), None);
        assert_eq!(fixed_shape(&[1, 3, 8, 8], Some(&[1, 3, 8])), None);
        assert_eq!(fixed_shape(&[-1, 3], Some(&[0, 3])), None);
    }

    #[test]
    fn open_sizes_are_question_marks() {
        assert_eq!(shape_text(&[-1_i64, 3, 224]), "?x3x224");
    }
}
