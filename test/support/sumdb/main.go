// Verifies a published log of seals with Go's own packages, golang.org/x/mod/sumdb/note and tlog, and nothing of this
// project's code. Usage: main <folder of the published files> <verifier key> <file of cases>
//
// Each case is a line of JSON: an event's inclusion proof with its entry, or two checkpoints with a consistency proof.
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

type tree struct {
	Size int64
	Root tlog.Hash
}

type proofCase struct {
	Entry      string
	Index      int64
	Checkpoint string
	Earlier    string
	Proof      []string
}

func check(err error) {
	if err != nil {
		fmt.Println("FAILED:", err)
		os.Exit(1)
	}
}

// open verifies the signature and reads the three lines of a checkpoint.
func open(text string, verifier note.Verifier) tree {
	opened, err := note.Open([]byte(text), note.VerifierList(verifier))
	check(err)
	lines := strings.Split(opened.Text, "\n")
	if len(lines) != 4 || lines[0] != verifier.Name() {
		check(fmt.Errorf("not a checkpoint of %s: %q", verifier.Name(), opened.Text))
	}
	size, err := strconv.ParseInt(lines[1], 10, 64)
	check(err)
	root, err := tlog.ParseHash(lines[2])
	check(err)
	return tree{size, root}
}

func hashes(texts []string) []tlog.Hash {
	list := []tlog.Hash{}
	for _, text := range texts {
		hash, err := tlog.ParseHash(text)
		check(err)
		list = append(list, hash)
	}
	return list
}

// published reads tiles as https://c2sp.org/tlog-tiles has them: Go's paths have the height of a tile too.
type published struct{ folder string }

func (published) Height() int                        { return 8 }
func (published) SaveTiles([]tlog.Tile, [][]byte)    {}
func (p published) ReadTiles(tiles []tlog.Tile) ([][]byte, error) {
	contents := [][]byte{}
	for _, tile := range tiles {
		path := strings.Replace(tile.Path(), "tile/8/", "tile/", 1)
		bytes, err := os.ReadFile(filepath.Join(p.folder, path))
		if err != nil {
			return nil, err
		}
		contents = append(contents, bytes)
	}
	return contents, nil
}

func main() {
	folder, key := os.Args[1], os.Args[2]
	verifier, err := note.NewVerifier(key)
	check(err)
	text, err := os.ReadFile(filepath.Join(folder, "checkpoint"))
	check(err)
	head := open(string(text), verifier)

	// Every leaf of the published tree, authenticated by its root.
	reader := tlog.TileHashReader(tlog.Tree{N: head.Size, Hash: head.Root}, published{folder})
	indexes := []int64{}
	for n := int64(0); n < head.Size; n++ {
		indexes = append(indexes, tlog.StoredHashIndex(0, n))
	}
	leaves, err := reader.ReadHashes(indexes)
	check(err)

	file, err := os.Open(os.Args[3])
	check(err)
	lines := bufio.NewScanner(file)
	lines.Buffer(nil, 1<<24)
	records, trees := 0, 0
	for lines.Scan() {
		var one proofCase
		check(json.Unmarshal(lines.Bytes(), &one))
		now := open(one.Checkpoint, verifier)
		if one.Earlier != "" {
			then := open(one.Earlier, verifier)
			check(tlog.CheckTree(hashes(one.Proof), now.Size, now.Root, then.Size, then.Root))
			trees++
			continue
		}
		leaf := tlog.RecordHash([]byte(one.Entry))
		check(tlog.CheckRecord(hashes(one.Proof), now.Size, now.Root, one.Index, leaf))
		if leaves[one.Index] != leaf {
			check(fmt.Errorf("leaf %d of the tiles is another one", one.Index))
		}
		records++
	}
	check(lines.Err())
	fmt.Printf("verified: %d leaves, %d records, %d trees\n", head.Size, records, trees)
}
