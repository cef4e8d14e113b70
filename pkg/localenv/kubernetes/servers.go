//go:build linux

package kubernetes

// removeData removes what PostgreSQL placed outside of the lab's folder.
func (l *Lab) removeData() error { return nil }
