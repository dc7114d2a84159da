package main

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"

	"github.com/docker/cli/cli/connhelper"
	"github.com/docker/docker/client"
	"github.com/urfave/cli/v2"
)

// endpoint is the engine the command line means.
func (a *app) endpoint(c *cli.Context) (endpoint, error) {
	return endpointFlags{
		Host: c.String("host"), HostSet: c.String("host") != "",
		Context: c.String("context"), ContextSet: c.String("context") != "",
		Config: c.String("config"), TLS: c.Bool("tls"),
		TLSVerify: c.Bool("tlsverify"), TLSVerifySet: c.IsSet("tlsverify"),
		TLSCACert: c.String("tlscacert"), TLSCert: c.String("tlscert"), TLSKey: c.String("tlskey"),
	}.resolve(a.getenv)
}

// dial makes a client of the endpoint's engine. Nothing is sent yet.
func (e endpoint) dial() (*client.Client, error) {
	opts := []client.Opt{
		client.WithVersionFromEnv(), client.WithAPIVersionNegotiation(), client.WithUserAgent(program + "/" + toolVersion()),
	}
	helper, err := connhelper.GetConnectionHelper(e.Host)
	if err != nil {
		return nil, fmt.Errorf("cannot use %s: %w", withoutPassword(e.Host), err)
	}
	transport := &http.Transport{}
	opts = append(opts, client.WithHTTPClient(&http.Client{Transport: transport, CheckRedirect: client.CheckRedirect}))
	switch {
	case helper != nil:
		opts = append(opts, client.WithHost(helper.Host), client.WithDialContext(helper.Dialer))
	case e.TLS:
		if transport.TLSClientConfig, err = e.tlsConfig(); err != nil {
			return nil, err
		}
		opts = append(opts, client.WithHost(e.Host))
	default:
		opts = append(opts, client.WithHost(e.Host))
	}
	c, err := client.NewClientWithOpts(opts...)
	if err != nil {
		return nil, fmt.Errorf("cannot use %s: %w", withoutPassword(e.Host), err)
	}
	transport.DialContext = bounded(transport.DialContext)
	return c, nil
}

// withoutPassword is an address as it may be shown.
func withoutPassword(address string) string {
	u, err := url.Parse(address)
	if err != nil {
		return "the engine's address"
	}
	return u.Redacted()
}

func (e endpoint) tlsConfig() (*tls.Config, error) {
	config := &tls.Config{MinVersion: tls.VersionTLS12, InsecureSkipVerify: e.SkipVerify} //nolint:gosec // as asked, like docker --tls
	if e.CA != "" {
		pem, err := os.ReadFile(e.CA)
		if err != nil {
			return nil, fmt.Errorf("cannot read the CA certificate: %w", err)
		}
		config.RootCAs = x509.NewCertPool()
		if !config.RootCAs.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("cannot read the CA certificate: %s holds none", e.CA)
		}
	}
	switch {
	case e.Cert == "" && e.Key == "":
		return config, nil
	case e.Cert == "" || e.Key == "":
		return nil, errors.New("cannot use a client certificate without its key: give both --tlscert and --tlskey")
	}
	pair, err := tls.LoadX509KeyPair(e.Cert, e.Key)
	if err != nil {
		return nil, fmt.Errorf("cannot read the client certificate: %w", err)
	}
	config.Certificates = []tls.Certificate{pair}
	return config, nil
}
