//! Things of which only the recently used are kept.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::Owner;

/// A bounded store in memory: the least recently used goes when there is no more room.
pub struct Recent<T> {
    shelf: Mutex<Shelf<T>>,
    count_max: usize,
    bytes_max: usize,
}

/// A thing to keep.
pub struct Entry<T> {
    /// The thing.
    pub value: T,
    /// What it counts.
    pub bytes: usize,
    /// Names of its parts, by which it can be found too.
    pub parts: Vec<String>,
}

type Key = (Owner, Arc<str>);

struct Shelf<T> {
    slots: HashMap<Key, Slot<T>>,
    parts: HashMap<Key, Key>,
    /// The keys by their last use, oldest first.
    uses: BTreeMap<u64, Key>,
    clock: u64,
    bytes: usize,
}

struct Slot<T> {
    value: Arc<T>,
    bytes: usize,
    parts: Vec<Key>,
    used: u64,
}

impl<T> Recent<T> {
    /// Keeps `count_max` things of `bytes_max` bytes together.
    #[must_use]
    pub fn new(count_max: usize, bytes_max: usize) -> Self {
        let (slots, parts, uses) = (HashMap::new(), HashMap::new(), BTreeMap::new());
        let shelf = Shelf { slots, parts, uses, clock: 0, bytes: 0 };
        Self { shelf: Mutex::new(shelf), count_max, bytes_max }
    }

    /// Keeps a thing under its id; one that is larger than the whole store is not kept.
    pub fn insert(&self, owner: &Owner, id: &str, entry: Entry<T>) {
        if entry.bytes > self.bytes_max || self.count_max == 0 {
            return;
        }
        let mut shelf = self.lock();
        let key = (owner.clone(), Arc::from(id));
        shelf.remove(&key);
        shelf.insert(key, entry);
        while shelf.slots.len() > self.count_max || shelf.bytes > self.bytes_max {
            shelf.remove_oldest();
        }
    }

    /// The thing of that id. This is a use of it.
    pub fn get(&self, owner: &Owner, id: &str) -> Option<Arc<T>> {
        self.lock().touch(&(owner.clone(), Arc::from(id)))
    }

    /// The latest thing that has a part of that name. This is a use of it.
    pub fn with_part(&self, owner: &Owner, part: &str) -> Option<Arc<T>> {
        let mut shelf = self.lock();
        let key = shelf.parts.get(&(owner.clone(), Arc::from(part)))?.clone();
        shelf.touch(&key)
    }

    /// Forgets a thing; whether it was there.
    pub fn remove(&self, owner: &Owner, id: &str) -> bool {
        self.lock().remove(&(owner.clone(), Arc::from(id)))
    }

    fn lock(&self) -> MutexGuard<'_, Shelf<T>> {
        self.shelf.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T> Shelf<T> {
    fn insert(&mut self, key: Key, entry: Entry<T>) {
        let Entry { value, bytes, parts } = entry;
        let part = |name: String| (key.0.clone(), Arc::from(name));
        let parts: Vec<Key> = parts.into_iter().map(part).collect();
        self.parts.extend(parts.iter().map(|part| (part.clone(), key.clone())));
        self.bytes += bytes;
        let used = self.tick(&key);
        self.slots.insert(key, Slot { value: Arc::new(value), bytes, parts, used });
    }

    fn touch(&mut self, key: &Key) -> Option<Arc<T>> {
        let last = self.slots.get(key)?.used;
        self.uses.remove(&last);
        let used = self.tick(key);
        let slot = self.slots.get_mut(key)?;
        slot.used = used;
        Some(Arc::clone(&slot.value))
    }

    fn tick(&mut self, key: &Key) -> u64 {
        self.clock += 1;
        self.uses.insert(self.clock, key.clone());
        self.clock
    }

    fn remove_oldest(&mut self) {
        let Some((_, key)) = self.uses.pop_first() else { return };
        self.remove(&key);
    }

    fn remove(&mut self, key: &Key) -> bool {
        let Some(slot) = self.slots.remove(key) else { return false };
        self.uses.remove(&slot.used);
        self.bytes -= slot.bytes;
        for part in &slot.parts {
            if self.parts.get(part) == Some(key) {
                self.parts.remove(part);
            }
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keep(store: &Recent<u32>, id: &str, value: u32) {
        let parts = vec![format!("part of {id}"), "shared".into()];
        store.insert(&Owner::default(), id, Entry { value, bytes: 10, parts });
    }

    fn kept(store: &Recent<u32>, id: &str) -> bool {
        store.lock().slots.contains_key(&(Owner::default(), Arc::from(id)))
    }

    #[test]
    fn what_does_not_fit_is_not_kept() {
        for store in [Recent::new(0, 100), Recent::new(9, 9)] {
            keep(&store, "a", 1);
            assert!(!kept(&store, "a"));
        }
    }

    #[test]
    fn another_owner_finds_nothing() {
        let store = Recent::new(9, 100);
        keep(&store, "a", 1);
        let ada = Owner::of_key("ada");
        assert_eq!(store.get(&ada, "a"), None);
        assert_eq!(store.with_part(&ada, "part of a"), None);
        assert!(!store.remove(&ada, "a"));
        assert!(kept(&store, "a"));
    }

    #[test]
    fn the_least_recently_used_goes_by_count_and_by_bytes() {
        for store in [Recent::new(2, 1000), Recent::new(9, 20)] {
            keep(&store, "a", 1);
            keep(&store, "b", 2);
            assert_eq!(store.with_part(&Owner::default(), "part of a").as_deref(), Some(&1));
            keep(&store, "c", 3);
            assert!(kept(&store, "a") && !kept(&store, "b") && kept(&store, "c"));
            let shelf = store.lock();
            assert_eq!((shelf.bytes, shelf.uses.len(), shelf.parts.len()), (20, 2, 3));
        }
    }

    #[test]
    fn a_shared_part_leads_to_the_latest_as_long_as_it_is_there() {
        let store = Recent::new(9, 100);
        let owner = Owner::default();
        keep(&store, "a", 1);
        keep(&store, "b", 2);
        assert_eq!(store.with_part(&owner, "shared").as_deref(), Some(&2));
        assert!(store.remove(&owner, "a"));
        assert_eq!(store.with_part(&owner, "shared").as_deref(), Some(&2));
        keep(&store, "b", 3);
        assert_eq!(store.get(&owner, "b").as_deref(), Some(&3));
        assert!(store.remove(&owner, "b") && !store.remove(&owner, "b"));
        let shelf = store.lock();
        assert_eq!((shelf.parts.len(), shelf.uses.len(), shelf.bytes), (0, 0, 0));
    }
}
