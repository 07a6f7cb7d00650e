-- The log of seals: an append-only Merkle tree (RFC 6962) over the events of the journal, and its signed checkpoints.

-- The hashes of the tree, 256 a row. `id` is level * 2^40 + index: a hash of level 0 is that of a leaf, one of a further
-- level that of a complete row below.
CREATE TABLE seal_tiles (
  id INTEGER PRIMARY KEY,
  hashes BLOB NOT NULL,
  -- Of level 0: the events of the leaves, 16 bytes each; zeros for an entry of the log's own.
  event_ids BLOB,
  -- Of level 0: the earliest and the latest time at which one of them was stored, in milliseconds.
  stored_from INTEGER,
  stored_to INTEGER
);
CREATE INDEX seal_tiles_stored ON seal_tiles (stored_to, stored_from) WHERE stored_to IS NOT NULL;

-- Entries of the log's own: its beginning, its keys, its schema, the time of each hour.
CREATE TABLE seal_entries (
  leaf_index INTEGER PRIMARY KEY,
  entry TEXT NOT NULL
);

-- The names, keys and schemas among them: the others are one for each hour.
CREATE INDEX seal_entries_facts ON seal_entries (leaf_index) WHERE entry NOT LIKE '%"kind":"time"%';

-- Signed tree heads, as C2SP notes.
CREATE TABLE seal_checkpoints (
  tree_size INTEGER PRIMARY KEY,
  note TEXT NOT NULL,
  signed_at INTEGER NOT NULL
);

-- One row: how far the log has come. A write that expects another state sets NULL, which fails its whole transaction.
CREATE TABLE seal_state (
  id INTEGER PRIMARY KEY CHECK (id = 1),
  tree_size INTEGER NOT NULL,
  -- The last row of the journal whose events are leaves.
  journal_seq INTEGER NOT NULL,
  -- The leaves whose tiles are in object storage.
  published_size INTEGER NOT NULL
);
INSERT INTO seal_state (id, tree_size, journal_seq, published_size) VALUES (1, 0, 0, 0);
