package signingkey

// Candidate makes a key that may take the place of one that must not sign a moment
// longer, if there is no standby.
func (r *Ring) Candidate() (Stored, error) { return generate(r.cfg.Sealer) }

// Replacement makes a key that may take the place of all others, for a database that was restored.
func Replacement(sealer Sealer) (Stored, error) { return generate(sealer) }
