package cli

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"strings"

	"github.com/benchfleet/benchfleet/core"
	"github.com/benchfleet/benchfleet/library"
	"github.com/benchfleet/benchfleet/ports"
	"github.com/benchfleet/benchfleet/report"
	"github.com/benchfleet/benchfleet/templatefile"
	"github.com/spf13/cobra"
)

func (a *app) templateCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "template",
		Short: "Browse the built-in templates; import, list, show, validate or delete templates",
		Long: `A template is a stored, typed description of a benchmark. Every run starts from
one. Templates are YAML or JSON files, or built in: ` + strings.Join(library.Names(), ", ") + `.`,
		Example: `  benchfleet template show oltp > mine.yaml         # a beginning
  benchfleet template schema > template.schema.json  # for your editor
  benchfleet template validate mine.yaml
  benchfleet template import mine.yaml`,
	}
	cmd.AddCommand(
		a.templateLibrary(), a.templateImport(), a.templateList(), a.templateShow(), a.templateValidate(), a.templateDelete(),
		&cobra.Command{
			Use:   "schema",
			Short: "Print a JSON Schema of templates, for editors",
			Args:  noArguments,
			RunE: func(*cobra.Command, []string) error {
				text, err := templatefile.Schema(targetKinds()...)
				if err != nil {
					return err
				}
				return a.print("%s\n", strings.TrimRight(string(text), "\n"))
			},
		},
	)
	return cmd
}

// readTemplates reads a file, or a built-in template when no such file exists.
func readTemplates(name string) ([]core.Template, error) {
	data, err := os.ReadFile(name)
	if os.IsNotExist(err) {
		if t, libErr := library.Get(name); libErr == nil {
			return []core.Template{t}, nil
		}
		return nil, usage("there is no file %s and no built-in template of that name; built in: %s", name, strings.Join(library.Names(), ", "))
	}
	if err != nil {
		return nil, usage("%w", err)
	}
	templates, err := templatefile.Parse(name, data)
	if err != nil {
		return nil, exitWith(ExitUsage, err)
	}
	return templates, nil
}

// readAll reads every file before anything is done with one.
func readAll(names []string) ([]core.Template, error) {
	if len(names) == 0 {
		return nil, usage("name at least one file, or a built-in template: %s", strings.Join(library.Names(), ", "))
	}
	var all []core.Template
	for _, name := range names {
		templates, err := readTemplates(name)
		if err != nil {
			return nil, err
		}
		all = append(all, templates...)
	}
	return all, nil
}

func (a *app) templateImport() *cobra.Command {
	return &cobra.Command{
		Use:   "import FILE…",
		Short: "Store templates from files, or built-in ones by name; an equal one changes nothing",
		Long: `Stores the templates of YAML or JSON files, or built-in ones by name. Nothing is
stored unless all files are right. A changed template gets a new version; an equal
one changes nothing.`,
		Example: `  benchfleet template import oltp
  benchfleet template import mine.yaml more/*.yaml`,
		RunE: func(cmd *cobra.Command, args []string) error {
			templates, err := readAll(args)
			if err != nil {
				return err
			}
			return a.storeTemplates(cmd.Context(), templates)
		},
	}
}

// storeTemplates stores templates and says which version each has.
func (a *app) storeTemplates(ctx context.Context, templates []core.Template) error {
	store, err := a.openStore(ctx)
	if err != nil {
		return err
	}
	defer store.Close()
	records := []ports.TemplateRecord{}
	for _, t := range templates {
		record, err := store.Templates().Put(ctx, t)
		if err != nil {
			return fmt.Errorf("template %s: %w", t.Name, err)
		}
		records = append(records, record)
	}
	if a.json() {
		return report.TemplatesJSON(a.out, records)
	}
	for _, r := range records {
		if err := a.print("%s version %d\n", r.Template.Name, r.Version); err != nil {
			return err
		}
	}
	return nil
}

func (a *app) templateList() *cobra.Command {
	return &cobra.Command{
		Use:   "list",
		Short: "List the stored templates",
		Args:  noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			store, err := a.openStore(cmd.Context())
			if err != nil {
				return err
			}
			defer store.Close()
			records, err := store.Templates().List(cmd.Context())
			if err != nil {
				return err
			}
			if a.json() {
				return report.TemplatesJSON(a.out, records)
			}
			return report.TemplatesText(a.out, records, a.layout()...)
		},
	}
}

func (a *app) templateShow() *cobra.Command {
	return &cobra.Command{
		Use:   "show TEMPLATE",
		Short: "Print a stored or built-in template as YAML, or as JSON",
		Long: `Prints a stored template, or a built-in one that is not stored: every key that it
has, in the order of the schema, ready to be imported again. The store keeps no
comments; a built-in template that nobody has changed is printed with its own.`,
		Example: `  benchfleet template show oltp > mine.yaml
  benchfleet template show oltp --output json`,
		Args: exactly("TEMPLATE"),
		RunE: func(cmd *cobra.Command, args []string) error {
			t, err := a.findTemplate(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			if a.json() {
				return writeJSON(a.out, t)
			}
			text, err := templateText(t)
			if err != nil {
				return err
			}
			_, err = a.out.Write(text)
			return err
		},
	}
}

// templateText is a template as YAML: a built-in one that nobody has changed as it
// comes, with its comments.
func templateText(t core.Template) ([]byte, error) {
	text, err := templatefile.Format(t)
	if err != nil {
		return nil, err
	}
	builtIn, err := library.Get(t.Name)
	if core.CodeOf(err) == core.NotFound {
		return text, nil
	}
	if err != nil {
		return nil, err
	}
	same, err := templatefile.Format(builtIn)
	if err == nil && bytes.Equal(text, same) {
		return library.Source(t.Name)
	}
	return text, err
}

// findTemplate reads a stored template, or a built-in one when there is no store
// yet or it does not know the name.
func (a *app) findTemplate(ctx context.Context, name string) (core.Template, error) {
	store, err := a.openStore(ctx)
	if err == nil {
		defer store.Close()
		record, getErr := store.Templates().Get(ctx, name)
		if getErr == nil {
			return record.Template, nil
		}
		err = getErr
	}
	if core.CodeOf(err) != core.NotFound {
		return core.Template{}, err // it may hold another template of that name
	}
	if t, libErr := library.Get(name); libErr == nil {
		return t, nil
	}
	if store != nil {
		err = fmt.Errorf("%w; see: benchfleet template list", err)
	}
	return core.Template{}, fmt.Errorf("%w; built in: %s", err, strings.Join(library.Names(), ", "))
}

func (a *app) templateValidate() *cobra.Command {
	return &cobra.Command{
		Use:   "validate FILE…",
		Short: "Check files without storing anything",
		RunE: func(_ *cobra.Command, args []string) error {
			templates, err := readAll(args)
			if err != nil {
				return err
			}
			names := []string{}
			for _, t := range templates {
				if err := t.Validate(); err != nil {
					return exitWith(ExitUsage, fmt.Errorf("template %s: %w", t.Name, err))
				}
				names = append(names, t.Name)
			}
			if a.json() {
				return writeJSON(a.out, map[string]any{"valid": names})
			}
			for _, name := range names {
				if err := a.print("%s is valid\n", name); err != nil {
					return err
				}
			}
			return nil
		},
	}
}

func (a *app) templateDelete() *cobra.Command {
	return &cobra.Command{
		Use:   "delete TEMPLATE",
		Short: "Remove a stored template; runs that used it keep their scenario",
		Args:  exactly("TEMPLATE"),
		RunE: func(cmd *cobra.Command, args []string) error {
			store, err := a.openStore(cmd.Context())
			if err != nil {
				return err
			}
			defer store.Close()
			err = store.Templates().Delete(cmd.Context(), args[0])
			if core.CodeOf(err) == core.NotFound {
				err = fmt.Errorf("%w; see: benchfleet template list", err)
			}
			if err != nil {
				return err
			}
			if a.json() {
				return writeJSON(a.out, map[string]string{"deleted": args[0]})
			}
			return a.print("deleted %s\n", args[0])
		},
	}
}
