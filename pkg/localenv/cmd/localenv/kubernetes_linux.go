package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"github.com/curfew-platform/curfew/pkg/localenv/kubernetes"
)

type kubernetesCommand struct {
	Programs string `help:"Folder of the programs that tools/kubernetes builds; the folder kubernetes beside this program if empty." placeholder:"DIR" type:"path"`

	Up      kubernetesUp      `cmd:"" help:"Start a lab, or add the nodes that are missing."`
	Servers kubernetesServers `cmd:"" help:"Start PostgreSQL and Apache Kafka on the first node unless they run."`
	Down    kubernetesDown    `cmd:"" help:"End it and remove everything of it."`
	Nodes   kubernetesNodes   `cmd:"" help:"Print the nodes that run."`
	Kill    kubernetesKill    `cmd:"" help:"End a node as a loss of power does; up brings it back."`
	Load    kubernetesLoad    `cmd:"" help:"Put images onto all nodes."`
	Kubectl kubernetesKubectl `cmd:"" help:"Run kubectl as an administrator." passthrough:""`
	In      kubernetesIn      `cmd:"" help:"Run a command on a node." passthrough:""`
}

// lab opens the one of the state folder.
func (k *kubernetesCommand) lab(p place) (*kubernetes.Lab, error) {
	programs := k.Programs
	if programs == "" {
		self, err := os.Executable()
		if err != nil {
			return nil, fmt.Errorf("find this program: %w", err)
		}
		programs = filepath.Join(filepath.Dir(self), "kubernetes")
	}
	return kubernetes.Open(p.dir(), programs, progress)
}

type kubernetesUp struct {
	Nodes int `default:"1" help:"How many nodes it has, 1 to 9."`
}

// Run starts the lab.
func (u kubernetesUp) Run(p place, line *commandLine) error {
	lab, err := line.Kubernetes.lab(p)
	if err != nil {
		return err
	}
	start := time.Now()
	if err := lab.Up(context.Background(), u.Nodes); err != nil {
		return err
	}
	fmt.Printf("kubernetes is up after %.1f s: nodes %v, the first at %s; state in %s\n",
		time.Since(start).Seconds(), lab.Nodes(), lab.Address(), lab.Dir())
	return nil
}

type kubernetesServers struct{}

// Run starts the servers and prints where they are.
func (kubernetesServers) Run(p place, line *commandLine) error {
	lab, err := line.Kubernetes.lab(p)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	where, err := lab.StartServers(ctx)
	if err != nil {
		return err
	}
	fmt.Printf("postgres is at %s (its superuser's URL is in %s), kafka at %s\n", where.Postgres, where.PostgresURL, where.Kafka)
	return nil
}

type kubernetesDown struct{}

// Run ends the lab.
func (kubernetesDown) Run(p place, line *commandLine) error {
	lab, err := line.Kubernetes.lab(p)
	if err != nil {
		return err
	}
	if err := lab.Down(context.Background()); err != nil {
		return err
	}
	fmt.Println("kubernetes is down")
	return nil
}

type kubernetesNodes struct{}

// Run prints a number a line.
func (kubernetesNodes) Run(p place, line *commandLine) error {
	lab, err := line.Kubernetes.lab(p)
	if err != nil {
		return err
	}
	for _, number := range lab.Nodes() {
		fmt.Println(number)
	}
	return nil
}

type kubernetesKill struct {
	Node int `arg:"" help:"Its number."`
}

// Run ends the node.
func (c kubernetesKill) Run(p place, line *commandLine) error {
	lab, err := line.Kubernetes.lab(p)
	if err != nil {
		return err
	}
	return lab.Kill(context.Background(), c.Node)
}

type kubernetesLoad struct {
	Files []string `arg:"" help:"Images as docker save writes them." type:"existingfile"`
}

// Run loads the images.
func (c kubernetesLoad) Run(p place, line *commandLine) error {
	lab, err := line.Kubernetes.lab(p)
	if err != nil {
		return err
	}
	return lab.Load(context.Background(), c.Files...)
}

type kubernetesKubectl struct {
	Args []string `arg:"" optional:"" help:"Of kubectl."`
}

// Run becomes kubectl.
func (c kubernetesKubectl) Run(p place, line *commandLine) error {
	lab, err := line.Kubernetes.lab(p)
	if err != nil {
		return err
	}
	return lab.Exec(1, lab.Kubectl(c.Args...))
}

type kubernetesIn struct {
	Args []string `arg:"" help:"The node's number, unless it is 1, and the command."`
}

// Run becomes the command.
func (c kubernetesIn) Run(p place, line *commandLine) error {
	lab, err := line.Kubernetes.lab(p)
	if err != nil {
		return err
	}
	number, args := 1, c.Args
	if given, err := strconv.Atoi(args[0]); err == nil {
		number, args = given, args[1:]
	}
	if len(args) == 0 {
		return errors.New("which command?")
	}
	return lab.Exec(number, args)
}

// nodeMain is the first process of a node, if the arguments say so.
func nodeMain(args []string) (isNode bool, err error) {
	if len(args) == 0 || args[0] != kubernetes.InitArgument {
		return false, nil
	}
	return true, kubernetes.Init(args[1:])
}
