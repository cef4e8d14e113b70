package signingkey

// Replacement makes a key that may take the place of all others, for a database that was restored.
func Replacement(sealer Sealer) (Stored, error) { return generate(sealer) }
