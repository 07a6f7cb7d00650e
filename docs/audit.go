// Verifies a published log of seals with Go's packages for signed notes and transparency logs, and with no code of the
// project whose log it is. Usage: audit <folder of the published files> <verifier key> [kept checkpoint | proof.json]…
//
// It proves that the folder has every leaf of the signed tree, and that the published entries are those leaves. A checkpoint
// that you kept must be an earlier state of that tree. A proof is a response of GET /api/v2/ai-gateway/proof/<event id>.
package main

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

func check(err error) {
	if err != nil {
		fmt.Println("FAILED:", err)
		os.Exit(1)
	}
}

// open verifies the signature of a checkpoint, and reads its three lines: the log's name, the tree's size, the root.
func open(text []byte, verifier note.Verifier) tlog.Tree {
	opened, err := note.Open(text, note.VerifierList(verifier))
	check(err)
	lines := strings.Split(opened.Text, "\n")
	if len(lines) != 4 || lines[0] != verifier.Name() {
		check(fmt.Errorf("not a checkpoint of %s: %q", verifier.Name(), opened.Text))
	}
	size, err := strconv.ParseInt(lines[1], 10, 64)
	check(err)
	root, err := tlog.ParseHash(lines[2])
	check(err)
	return tlog.Tree{N: size, Hash: root}
}

// published reads tiles of https://c2sp.org/tlog-tiles. Go's paths have the height of a tile too.
type published struct{ folder string }

func (published) Height() int                     { return 8 }
func (published) SaveTiles([]tlog.Tile, [][]byte) {}
func (p published) ReadTiles(tiles []tlog.Tile) ([][]byte, error) {
	contents := [][]byte{}
	for _, tile := range tiles {
		bytes, err := os.ReadFile(filepath.Join(p.folder, strings.Replace(tile.Path(), "tile/8/", "tile/", 1)))
		if err != nil {
			return nil, err
		}
		contents = append(contents, bytes)
	}
	return contents, nil
}

// bundle reads the entries of a leaf tile: each behind its length in two bytes. nil where an entry is no longer what was
// sealed, so that the bundle was not published.
func bundle(folder string, index int64, width int) [][]byte {
	path := tlog.Tile{H: 8, L: -1, N: index, W: width}.Path()
	bytes, err := os.ReadFile(filepath.Join(folder, strings.Replace(path, "tile/8/data/", "tile/entries/", 1)))
	if os.IsNotExist(err) {
		return nil
	}
	check(err)
	entries := [][]byte{}
	for len(bytes) >= 2 {
		length := 2 + int(binary.BigEndian.Uint16(bytes))
		if length > len(bytes) {
			check(fmt.Errorf("%s is truncated", path))
		}
		entries, bytes = append(entries, bytes[2:length]), bytes[length:]
	}
	if len(entries) != width {
		check(fmt.Errorf("%s has %d entries", path, len(entries)))
	}
	return entries
}

// isEarlier checks that a signed tree is an earlier state of the published one, or the same.
func isEarlier(earlier, tree tlog.Tree, reader tlog.HashReader) {
	if earlier.N > tree.N {
		check(fmt.Errorf("a checkpoint of %d leaves is newer than the folder, of %d", earlier.N, tree.N))
	}
	proof, err := tlog.ProveTree(tree.N, earlier.N, reader)
	check(err)
	check(tlog.CheckTree(proof, tree.N, tree.Hash, earlier.N, earlier.Hash))
}

func main() {
	if len(os.Args) < 3 {
		check(fmt.Errorf("usage: audit <folder> <verifier key> [kept checkpoint | proof.json]…"))
	}
	folder := os.Args[1]
	verifier, err := note.NewVerifier(os.Args[2])
	check(err)
	text, err := os.ReadFile(filepath.Join(folder, "checkpoint"))
	check(err)
	tree := open(text, verifier)

	// Reading a leaf's hash authenticates it by the root.
	reader := tlog.TileHashReader(tree, published{folder})
	entries := 0
	for first := int64(0); first < tree.N; first += 256 {
		width := 256
		if tree.N-first < 256 {
			width = int(tree.N - first)
		}
		indexes := []int64{}
		for n := first; n < first+int64(width); n++ {
			indexes = append(indexes, tlog.StoredHashIndex(0, n))
		}
		leaves, err := reader.ReadHashes(indexes)
		check(err)
		for at, entry := range bundle(folder, first/256, width) {
			if tlog.RecordHash(entry) != leaves[at] {
				check(fmt.Errorf("the published entry %d is not the leaf", first+int64(at)))
			}
			entries++
		}
	}
	fmt.Printf("%s: %d leaves, %d published entries\n", verifier.Name(), tree.N, entries)

	for _, path := range os.Args[3:] {
		text, err := os.ReadFile(path)
		check(err)
		if len(text) == 0 || text[0] != '{' {
			kept := open(text, verifier)
			isEarlier(kept, tree, reader)
			fmt.Printf("%s: an earlier state of the log, of %d leaves\n", path, kept.N)
			continue
		}
		var event struct {
			Entry      string      `json:"entry"`
			Index      int64       `json:"leaf_index"`
			Checkpoint string      `json:"checkpoint"`
			Proof      []tlog.Hash `json:"inclusion_proof"`
		}
		check(json.Unmarshal(text, &event))
		if event.Entry == "" {
			check(fmt.Errorf("%s: the row is no longer what was sealed", path))
		}
		signed := open([]byte(event.Checkpoint), verifier)
		isEarlier(signed, tree, reader)
		check(tlog.CheckRecord(event.Proof, signed.N, signed.Hash, event.Index, tlog.RecordHash([]byte(event.Entry))))
		fmt.Printf("%s: leaf %d is %s\n", path, event.Index, event.Entry)
	}
}
