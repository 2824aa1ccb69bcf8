//! Reading the maps of a model that explains itself.

use super::{Options, RuntimeError, Session};
use crate::maps::ClassMap;

const CLASSES: &str = "camloc.classes";
const SCORES: &str = "camloc.scores";
const MAPS: &str = "camloc.maps";
/// Of a detector only.
const BOXES: &str = "camloc.boxes";

/// A session of a model that [`camloc_graph::explain`] has rewritten: it looks at pictures, one or a few in a pass, and says of
/// each, for K classes, how sure it is and where it looked.
pub struct ExplainedSession {
    session: Session,
    batch: usize,
}

impl ExplainedSession {
    /// Loads an explained model from the bytes of its ONNX file, to take one picture. Whether it can take more in a pass, up
    /// to [`Options::batch`], is found by trying: a graph may say so and yet have a 1 in it somewhere.
    pub fn load(model: &[u8], options: &Options) -> Result<ExplainedSession, RuntimeError> {
        let mut session = Session::load(model, options)?;
        session.set_batch(1)?;
        read(&session, 1)?;
        let mut batch = 1;
        while batch < options.batch
            && session.set_batch(batch + 1).is_ok()
            && read(&session, batch + 1).is_ok()
        {
            batch += 1;
        }
        session.set_batch(1)?;
        Ok(ExplainedSession { session, batch })
    }

    /// How many pictures a pass can take.
    pub fn batch(&self) -> usize {
        self.batch
    }

    /// Sets how many pictures the following passes take; see [`Session::set_batch`].
    pub fn set_batch(&mut self, count: usize) -> Result<(), RuntimeError> {
        self.session.set_batch(count)
    }

    /// The values of the image input, one picture after the other; see [`Session::input_mut`].
    pub fn input_mut(&mut self) -> &mut [f32] {
        self.session.input_mut()
    }

    /// Chooses the classes to explain; see [`Session::set_targets`].
    pub fn set_targets(&mut self, classes: &[i64]) -> Result<(), RuntimeError> {
        self.session.set_targets(classes)
    }

    /// Runs the model and fills `maps` for each picture with its K classes, best first. Their buffers are reused.
    ///
    /// # Errors
    /// If the model fails, or `maps` are not as many as the pictures that a pass takes now.
    pub fn explain(&mut self, maps: &mut [Vec<ClassMap>]) -> Result<(), RuntimeError> {
        self.session.run()?;
        let explained = read(&self.session, maps.len())?;
        let area = explained.height * explained.width;
        let mut bounds = self.session.floats(BOXES).map_or(&[][..], |(_, boxes)| boxes).chunks_exact(4);
        let mut found = explained.classes.iter().zip(explained.scores).zip(explained.maps.chunks(area));
        for maps in maps {
            maps.resize_with(explained.count, empty_map);
            for (map, ((&class, &score), values)) in maps.iter_mut().zip(&mut found) {
                map.class_id = usize::try_from(class)
                    .map_err(|_| RuntimeError::NotExplained(format!("it explains the class {class}")))?;
                map.score = score;
                map.height = explained.height;
                map.width = explained.width;
                map.bounds = bounds.next().and_then(|bounds| bounds.try_into().ok());
                map.values.clear();
                map.values.extend_from_slice(values);
            }
        }
        Ok(())
    }

    /// The session inside, to read the model's own outputs after [`ExplainedSession::explain`].
    pub fn session(&self) -> &Session {
        &self.session
    }
}

/// The outputs of an explained model: for each picture `count` classes, scores, and maps of `height` x `width`.
struct Explained<'a> {
    count: usize,
    classes: &'a [i64],
    scores: &'a [f32],
    maps: &'a [f32],
    height: usize,
    width: usize,
}

fn read(session: &Session, pictures: usize) -> Result<Explained<'_>, RuntimeError> {
    let missing = |error: RuntimeError| RuntimeError::NotExplained(error.to_string());
    let (_, classes) = session.integers(CLASSES).map_err(missing)?;
    let (_, scores) = session.floats(SCORES).map_err(missing)?;
    let (shape, maps) = session.floats(MAPS).map_err(missing)?;
    match *shape {
        [n, count, height, width]
            if n == pictures && [classes.len(), scores.len()] == [n * count; 2] && height * width > 0 =>
        {
            Ok(Explained { count, classes, scores, maps, height, width })
        }
        _ => Err(RuntimeError::NotExplained(format!(
            "{} classes, {} scores and maps of shape {shape:?} do not belong together",
            classes.len(),
            scores.len()
        ))),
    }
}

fn empty_map() -> ClassMap {
    ClassMap { class_id: 0, score: 0.0, height: 0, width: 0, values: Vec::new(), bounds: None }
}

#[cfg(test)]
mod tests {
    use prost::Message;

    use super::*;
    use crate::runtime::init_for_tests;
    use camloc_graph::onnx::build::{Dim, f32_tensor, graph, i64_tensor, int, model, node, value_info};
    use camloc_graph::onnx::proto::DataType;

    /// An "explained" model whose maps are the picture itself `[1, 2, 2, 3]`, with fixed classes and scores.
    fn explained(classes: &[i64]) -> Vec<u8> {
        let k = i64::try_from(classes.len()).unwrap();
        let dims = [Dim::Fixed(1), Dim::Fixed(2), Dim::Fixed(2), Dim::Fixed(3)];
        let fixed = vec![i64_tensor("c", &[1, k], classes), f32_tensor("s", &[1, 2], &[0.75, 0.25])];
        let outputs = vec![
            value_info(CLASSES, DataType::Int64, &[Dim::Fixed(1), Dim::Fixed(k)]),
            value_info(SCORES, DataType::Float, &[Dim::Fixed(1), Dim::Fixed(2)]),
            value_info(MAPS, DataType::Float, &dims),
        ];
        let nodes = vec![
            node("Identity", "a", &["c"], &[CLASSES], vec![]),
            node("Identity", "b", &["s"], &[SCORES], vec![]),
            node("Identity", "m", &["x"], &[MAPS], vec![]),
        ];
        let x = value_info("x", DataType::Float, &dims);
        model(graph("g", vec![x], outputs, fixed, nodes)).encode_to_vec()
    }

    #[test]
    fn maps_come_with_their_class_and_reuse_their_buffers() {
        init_for_tests();
        let mut session = ExplainedSession::load(&explained(&[282, 7]), &Options::default()).unwrap();
        let mut maps = vec![Vec::new()];
        session.explain(&mut maps).unwrap();
        let buffer = maps[0][1].values.as_ptr();
        for (value, at) in session.input_mut().iter_mut().zip(0_u8..) {
            *value = f32::from(at);
        }
        session.explain(&mut maps).unwrap();
        let second = &maps[0][1];
        assert_eq!((second.class_id, second.score, second.height, second.width), (7, 0.25, 2, 3));
        assert_eq!(second.values, [6.0, 7.0, 8.0, 9.0, 10.0, 11.0]);
        assert_eq!((maps[0].len(), maps[0][0].class_id), (2, 282));
        assert_eq!(second.values.as_ptr(), buffer);
    }

    #[test]
    fn a_model_takes_as_many_pictures_as_it_can_and_no_more() {
        init_for_tests();
        let options = Options { batch: 3, shape: Some(vec![1, 2, 2, 3]), ..Options::default() };
        let fixed = ExplainedSession::load(&explained(&[282, 7]), &options).unwrap();
        assert_eq!(fixed.batch(), 1, "its batch is fixed");
        let session = ExplainedSession::load(&open(), &options).unwrap();
        assert_eq!(session.batch(), 3);
        let one = ExplainedSession::load(&open(), &Options { batch: 0, ..options }).unwrap();
        assert_eq!(one.batch(), 1, "one is enough");
    }

    #[test]
    fn pictures_of_a_pass_keep_their_own_answers() {
        init_for_tests();
        let options = Options { batch: 2, shape: Some(vec![1, 2, 2, 3]), ..Options::default() };
        let mut session = ExplainedSession::load(&open(), &options).unwrap();
        for count in [2, 1, 2] {
            session.set_batch(count).unwrap();
            for (value, at) in session.input_mut().iter_mut().zip(0_u8..) {
                *value = f32::from(at);
            }
            let mut maps = vec![Vec::new(); count];
            session.explain(&mut maps).unwrap();
            for (picture, maps) in maps.iter().enumerate() {
                let first = (12 * picture) as f32;
                assert_eq!((maps.len(), maps[0].values[0], maps[1].values[0]), (2, first, first + 6.0));
                // The lowest value and its place.
                assert_eq!((maps[0].class_id, maps[0].score), (0, first), "{maps:?}");
            }
        }
        assert!(session.explain(&mut [Vec::new()]).is_err(), "two pictures, room for one answer");
    }

    /// As [`explained`], for any number of pictures: the classes are the places of the lowest values.
    fn open() -> Vec<u8> {
        let dims = [Dim::Symbol("N"), Dim::Fixed(2), Dim::Fixed(2), Dim::Fixed(3)];
        let outputs = vec![
            value_info(CLASSES, DataType::Int64, &[Dim::Symbol("N"), Dim::Fixed(2)]),
            value_info(SCORES, DataType::Float, &[Dim::Symbol("N"), Dim::Fixed(2)]),
            value_info(MAPS, DataType::Float, &dims),
        ];
        let fixed = vec![i64_tensor("k", &[1], &[2])];
        let nodes = vec![
            node("Flatten", "f", &["x"], &["values"], vec![]),
            node("TopK", "t", &["values", "k"], &[SCORES, CLASSES], vec![int("largest", 0)]),
            node("Identity", "m", &["x"], &[MAPS], vec![]),
        ];
        let x = value_info("x", DataType::Float, &dims);
        model(graph("g", vec![x], outputs, fixed, nodes)).encode_to_vec()
    }

    #[test]
    fn a_model_without_maps_is_refused() {
        init_for_tests();
        let Err(error) = ExplainedSession::load(&explained(&[1]), &Options::default()) else {
            panic!("one class, two maps")
        };
        assert!(error.to_string().contains("1 classes, 2 scores"), "{error}");
        let x = || vec![value_info("x", DataType::Float, &[Dim::Fixed(1)])];
        let y = vec![value_info("y", DataType::Float, &[Dim::Fixed(1)])];
        let plain = model(graph("g", x(), y, vec![], vec![node("Relu", "n", &["x"], &["y"], vec![])]));
        let Err(error) = ExplainedSession::load(&plain.encode_to_vec(), &Options::default()) else {
            panic!("a plain model")
        };
        assert!(error.to_string().contains("camloc export"), "{error}");
    }
}
