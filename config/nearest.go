package config

import "slices"

// nearest returns the known word that a writer most likely meant by word, or "".
func nearest(word string, known []string) string {
	best, least := "", len(word)/3+2 // a third of the letters wrong, or one in a short word
	for _, k := range slices.Sorted(slices.Values(known)) {
		if d := distance(word, k, least); d < least {
			best, least = k, d
		}
	}
	return best
}

// distance is how many letters have to be put in, taken out, changed or swapped
// with the next one to make b of a (optimal string alignment); words of very
// different length are limit apart.
func distance(a, b string, limit int) int {
	if len(a)-len(b) >= limit || len(b)-len(a) >= limit {
		return limit
	}
	before, last, row := make([]int, len(b)+1), make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range last {
		last[j] = j
	}
	for i := 1; i <= len(a); i++ {
		row[0] = i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			row[j] = min(last[j]+1, row[j-1]+1, last[j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				row[j] = min(row[j], before[j-2]+1)
			}
		}
		before, last, row = last, row, before
	}
	return last[len(b)]
}
