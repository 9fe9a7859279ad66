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

// PutTemplate replaces a template that was not used, or stores a new one. version,
// unless it is 0, is the one that must be replaced.
func (c *Client) PutTemplate(ctx context.Context, name string, text []byte, version int) (t Template, err error) {
	err = c.do(ctx, call{method: http.MethodPut, path: []string{"templates", name}, send: text, media: yaml, match: number(version)}, &t)
	return t, err
}

// ValidateTemplate says what is wrong with a template's text.
func (c *Client) ValidateTemplate(ctx context.Context, text []byte) (v Validation, err error) {
	err = c.do(ctx, call{method: http.MethodPost, path: []string{"validate-template"}, send: text, media: yaml}, &v)
	return v, err
}

// CopyTemplate stores a copy of a template under another name.
func (c *Client) CopyTemplate(ctx context.Context, nameOrID, name string) (t Template, err error) {
	err = c.do(ctx, call{method: http.MethodPost, path: []string{"templates", nameOrID, "copy"}, send: CopyTemplate{Name: name}}, &t)
	return t, err
}

// DeleteTemplate removes a template; runs keep their scenario.
func (c *Client) DeleteTemplate(ctx context.Context, nameOrID string) error {
	return c.do(ctx, call{method: http.MethodDelete, path: []string{"templates", nameOrID}}, nil)
}

// Template reads a template by name or id.
func (c *Client) Template(ctx context.Context, nameOrID string) (t Template, err error) {
	err = c.do(ctx, call{method: http.MethodGet, path: []string{"templates", nameOrID}}, &t)
	return t, err
}

// TemplateText reads a template as YAML.
func (c *Client) TemplateText(ctx context.Context, nameOrID string) (text []byte, err error) {
	err = c.do(ctx, call{method: http.MethodGet, path: []string{"templates", nameOrID, "text"}}, &text)
	return text, err
}

// Templates lists all templates by name.
func (c *Client) Templates(ctx context.Context) (list List[Template], err error) {
	err = c.do(ctx, call{method: http.MethodGet, path: []string{"templates"}}, &list)
	return list, err
}
