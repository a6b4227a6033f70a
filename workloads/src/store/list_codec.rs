//! The encoding of a list as one value: each element after its length, four bytes, little endian.

use super::Bytes;

pub(crate) fn push(list: &mut Bytes, element: &[u8]) {
    let len = u32::try_from(element.len()).expect("an element is smaller than 4 GiB");
    list.extend_from_slice(&len.to_le_bytes());
    list.extend_from_slice(element);
}

pub(crate) fn elements(mut list: &[u8]) -> Option<Vec<Bytes>> {
    let mut elements = Vec::new();
    while !list.is_empty() {
        let (len, rest) = list.split_first_chunk::<4>()?;
        let (element, rest) = rest.split_at_checked(u32::from_le_bytes(*len) as usize)?;
        elements.push(element.to_vec());
        list = rest;
    }
    Some(elements)
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_list_of_any_elements_comes_back() {
        let mut list = Vec::new();
        for element in [&b""[..], b"a", &[0xff; 300]] {
            super::push(&mut list, element);
        }
        assert_eq!(super::elements(&list), Some(vec![vec![], b"a".to_vec(), vec![0xff; 300]]));
        assert_eq!(super::elements(&list[..list.len() - 1]), None);
    }
}
