package external

// Names lists `iss` of the issuers, in the order of the file.
func (c Config) Names() []string {
	names := make([]string, len(c.issuers))
	for n, i := range c.issuers {
		names[n] = i.name
	}
	return names
}
