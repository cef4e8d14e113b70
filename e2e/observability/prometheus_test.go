package observability

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"syscall"
	"time"

	"github.com/curfew-platform/curfew/pkg/localenv/freeport"
)

// prometheus is a real server on loopback with an OTLP receiver and without rules until load is called.
type prometheus struct {
	url, dir string
	cmd      *exec.Cmd
	log      bytes.Buffer
	ended    chan error
}

// The names are those of the default translation: dots become underscores, units and _total are added.
const settings = `global: {evaluation_interval: 1s}
rule_files: [rules/*.yaml]
`

const serverLimit = 30 * time.Second

func startPrometheus(ctx context.Context, dir string) (*prometheus, error) {
	path, err := tool("prometheus")
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(filepath.Join(dir, "rules"), 0o755); err != nil {
		return nil, err
	}
	if err := os.WriteFile(filepath.Join(dir, "prometheus.yaml"), []byte(settings), 0o600); err != nil {
		return nil, err
	}
	ports, err := freeport.Find(ctx, 1)
	if err != nil {
		return nil, err
	}
	addr := "127.0.0.1:" + strconv.Itoa(ports[0])
	p := &prometheus{url: "http://" + addr, dir: dir, ended: make(chan error, 1)}
	p.cmd = exec.Command(path, "--config.file="+filepath.Join(dir, "prometheus.yaml"), "--storage.tsdb.path="+filepath.Join(dir, "data"),
		"--web.listen-address="+addr, "--web.enable-otlp-receiver", "--web.enable-lifecycle", "--log.level=warn")
	p.cmd.Stdout, p.cmd.Stderr = &p.log, &p.log
	if err := p.cmd.Start(); err != nil {
		return nil, fmt.Errorf("start prometheus: %w", err)
	}
	go func() { p.ended <- p.cmd.Wait() }()
	if err := await(ctx, serverLimit, func() (bool, error) {
		_, err := p.get(ctx, "/-/ready")
		return err == nil, err
	}); err != nil {
		p.stop()
		return nil, fmt.Errorf("prometheus: %w\n%s", err, p.log.String())
	}
	return p, nil
}

func (p *prometheus) stop() {
	_ = p.cmd.Process.Signal(syscall.SIGTERM)
	select {
	case <-p.ended:
	case <-time.After(serverLimit):
		_ = p.cmd.Process.Kill()
		<-p.ended
	}
}

func (p *prometheus) get(ctx context.Context, path string) ([]byte, error) {
	return p.do(ctx, http.MethodGet, path, "", nil)
}

func (p *prometheus) do(ctx context.Context, method, path, kind string, body []byte) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, method, p.url+path, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	if kind != "" {
		req.Header.Set("Content-Type", kind)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	content, err := io.ReadAll(resp.Body)
	if err == nil && resp.StatusCode/100 != 2 {
		err = fmt.Errorf("%s %s: %s: %s", method, path, resp.Status, content)
	}
	return content, err
}

// load makes content the only rules.
func (p *prometheus) load(ctx context.Context, content string) error {
	if err := os.WriteFile(filepath.Join(p.dir, "rules", "rules.yaml"), []byte(content), 0o600); err != nil {
		return err
	}
	_, err := p.do(ctx, http.MethodPost, "/-/reload", "", nil)
	return err
}

// names returns the names of all metrics of the last hour.
func (p *prometheus) names(ctx context.Context) (map[string]bool, error) {
	content, err := p.get(ctx, "/api/v1/label/__name__/values")
	if err != nil {
		return nil, err
	}
	var answer struct{ Data []string }
	if err := json.Unmarshal(content, &answer); err != nil {
		return nil, err
	}
	names := map[string]bool{}
	for _, name := range answer.Data {
		names[name] = true
	}
	return names, nil
}

// series are labels, by name.
type series struct{ Metric map[string]string }

// query returns the series that an expression has now.
func (p *prometheus) query(ctx context.Context, expr string) ([]series, error) {
	content, err := p.get(ctx, "/api/v1/query?query="+url.QueryEscape(expr))
	if err != nil {
		return nil, err
	}
	var answer struct {
		Status string
		Data   struct{ Result []series }
	}
	if err := json.Unmarshal(content, &answer); err != nil {
		return nil, err
	}
	if answer.Status != "success" {
		return nil, errors.New(string(content))
	}
	return answer.Data.Result, nil
}
