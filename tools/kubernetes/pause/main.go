// Command pause holds the namespaces of a pod open until it is killed.
package main

import "syscall"

func main() {
	for {
		_ = syscall.Pause() // Whatever signal came: one that ends a program ends this one.
	}
}
