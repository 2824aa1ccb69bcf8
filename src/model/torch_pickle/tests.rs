use proptest::prelude::*;

use super::*;

const HEAD: &[u8] = b"\x80\x02\x8a\x0al\xfc\x9cF\xf9 j\xa8P\x19.\x80\x02M\xe9\x03.\x80\x02}.";

fn text(text: &str) -> Vec<u8> {
    [b"X", &(text.len() as u32).to_le_bytes()[..], text.as_bytes()].concat()
}

/// A checkpoint of one float tensor `w` over a storage of `values`; `view` is offset, shape and strides.
fn checkpoint(view: &[u8], values: &[f32]) -> Vec<u8> {
    let mut bytes = [HEAD, b"\x80\x02ccollections\nOrderedDict\n)R(", &text("w")].concat();
    bytes.extend(b"ctorch._utils\n_rebuild_tensor_v2\n((");
    bytes.extend(
        [&text("storage")[..], b"ctorch\nFloatStorage\n", &text("7"), &text("cpu"), b"K\x06NtQ"].concat(),
    );
    bytes.extend([view, b"\x89ccollections\nOrderedDict\n)RtRu.\x80\x02](", &text("7"), b"e."].concat());
    bytes.extend((values.len() as i64).to_le_bytes());
    bytes.extend(values.iter().flat_map(|value| value.to_le_bytes()));
    bytes
}

/// Offset 0, shape (2, 3), strides (1, 2): column-major.
const COLUMNS: &[u8] = b"K\x00K\x02K\x03\x86K\x01K\x02\x86";
const SIX: [f32; 6] = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0];

#[test]
fn strides_are_honoured() {
    let tensors = read_state_dict(&checkpoint(COLUMNS, &SIX)).unwrap();
    let expected = Tensor { shape: vec![2, 3], values: vec![1.0, 3.0, 5.0, 2.0, 4.0, 6.0] };
    assert_eq!(tensors, BTreeMap::from([("w".to_owned(), expected)]));
}

#[test]
fn a_view_outside_its_storage_is_refused() {
    assert!(matches!(read_state_dict(&checkpoint(COLUMNS, &SIX[..5])), Err(Damaged(_))));
}

#[test]
fn a_small_file_cannot_ask_for_a_large_tensor() {
    let huge = b"K\x00J\xff\xff\xff\x7fJ\xff\xff\xff\x7f\x86K\x00K\x00\x86";
    assert_eq!(read_state_dict(&checkpoint(huge, &SIX)), Err(TooLarge));
    let overflowing = b"K\x00J\xff\xff\xff\x7fJ\xff\xff\xff\x7fJ\xff\xff\xff\x7f\x87K\x00K\x00K\x00\x87";
    assert_eq!(read_state_dict(&checkpoint(overflowing, &SIX)), Err(TooLarge));
}

#[test]
fn code_is_not_run_but_named() {
    let attack = [HEAD, b"\x80\x02cos\nsystem\n", &text("true"), b"\x85R."].concat();
    assert_eq!(read_state_dict(&attack), Err(Forbidden("os.system".to_owned())));
    let other = [HEAD, b"\x80\x02ctorch\nHalfStorage\n."].concat();
    assert_eq!(read_state_dict(&other), Err(Forbidden("torch.HalfStorage".to_owned())));
}

#[test]
fn endless_and_deeply_nested_pickles_end() {
    let nested = [HEAD, b"\x80\x02)", &vec![0x85; 2_000_000][..], b"."].concat();
    assert_eq!(read_state_dict(&nested), Err(TooLarge));
}

#[test]
fn another_kind_of_file_is_told_apart() {
    assert_eq!(read_state_dict(b"PK\x03\x04"), Err(NotACheckpoint));
    assert_eq!(read_state_dict(b""), Err(NotACheckpoint));
}

proptest! {
    #[test]
    fn garbage_is_an_error_and_never_a_panic(garbage in prop::collection::vec(any::<u8>(), 0..400)) {
        prop_assert!(read_state_dict(&garbage).is_err());
        prop_assert!(read_state_dict(&[HEAD, &garbage].concat()).is_err());
    }

    #[test]
    fn pickles_of_known_instructions_never_panic(
        code in prop::collection::vec(prop::sample::select(&b"(N}])tuserbQK\x00\x01.\x85\x86\x87q\x02h"[..]), 0..200)
    ) {
        let _ = read_state_dict(&[HEAD, &code].concat());
    }

    #[test]
    fn a_file_that_is_cut_short_is_an_error(share in 0.0..1.0f64) {
        let whole = checkpoint(COLUMNS, &SIX);
        let cut = (whole.len() as f64 * share) as usize;
        prop_assert!(read_state_dict(&whole[..cut]).is_err());
    }

    #[test]
    fn a_damaged_byte_is_never_a_panic(at in any::<prop::sample::Index>(), byte: u8) {
        let mut bytes = checkpoint(COLUMNS, &SIX);
        let at = at.index(bytes.len());
        bytes[at] = byte;
        let _ = read_state_dict(&bytes);
    }
}
