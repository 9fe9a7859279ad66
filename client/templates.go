package client

import (
	"context"
	"net/http"
)

// yaml is how a template is sent.
const yaml = "application/yaml"

// CreateTemplate stores a new template, given as YAML or JSON text.
func (c *Client) CreateTemplate(ctx context.Context, text []byte) (t Template, err error) {
	err = c.do(ctx, call{method: http.MethodPost, path: []string{"templates"}, send: text, media: yaml}, &t)
	return t, err
}

// Template reads a template by name or id.
func (c *Client) Template(ctx context.Context, nameOrID string) (t Template, err error) {
	err = c.do(ctx, call{method: http.MethodGet, path: []string{"templates", nameOrID}}, &t)
	return t, err
}

// Templates lists all templates by name.
func (c *Client) Templates(ctx context.Context) (list List[Template], err error) {
	err = c.do(ctx, call{method: http.MethodGet, path: []string{"templates"}}, &list)
	return list, err
}
