# Each directive and each variable has its entry in the reference, each directive with an example.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../lib";
use Test::More;
use SL::Command qw(slurp);
use SL::Source qw(top c_files without_comments);

my $top = top();

sub entries {
    my ($page) = @_;
    my %entry;
    my $text = slurp("$top/docs/$page");
    while ($text =~ /^## (.*?)\s*\n(.*?)(?=^## |\z)/gms) {
        my ($title, $body) = ($1, $2);
        $entry{$_} = $body for split /\s*,\s*/, $title =~ s/`//gr;
    }
    return \%entry;
}

sub missing { my ($want, $have) = @_; return join ' ', grep { !$have->{$_} } @$want }

my $rows = without_comments(slurp("$top/mod_securelayer/profile/settings_rows.h"));
my %directives = map { $_ => 1 } $rows =~ /^SL_ROW\(\s*\w+,\s*"(\w+)"/mg;
ok(scalar keys %directives, 'the table of directives was read');

my @elsewhere = map { slurp($_) =~ /\bAP_INIT_\w+\(\s*"(\w+)"/g } glob "$top/mod_securelayer/httpd/*.[ch]";
is("@elsewhere", '', 'no directive is made outside the table');

my $pages = entries('directives.md');
is(missing([sort keys %directives], $pages), '', 'each directive has its entry in docs/directives.md');
is(join(' ', grep { ($pages->{$_} || '') !~ /^```.*?^```/ms } sort grep { $pages->{$_} } keys %directives), '', '... with an example');
is(join(' ', grep { /^(?:SSL|SecureLayer)\w+$/ && !$directives{$_} } sort keys %$pages), '', '... and no entry is about none');

my $names = without_comments(slurp("$top/mod_securelayer/httpd/variable_rows.h"));
my %variables = map { $_ => 1 } $names =~ /^SL_VARIABLE\(\s*"([^"]+)"/mg;
ok(scalar keys %variables, 'the table of variables was read');
my $variable_pages = entries('variables.md');
is(missing([sort keys %variables], $variable_pages), '', 'each variable has its entry in docs/variables.md');

# Ids of our own: each stands for one event, which the code of one place logs and the page explains.
my (%places, %explained);
for my $file (grep { m{^mod_securelayer/.*\.c$} } c_files()) {
    $places{$_}{ $file =~ s{.*/}{}r } = 1 for without_comments(slurp("$top/$file")) =~ /\b(SL\d{4})\b/g;
}
$explained{$_}++ for slurp("$top/docs/messages.md") =~ /^\| (SL\d{4}) \|/mg;
is(join(' ', grep { !$explained{$_} } sort keys %places), '', 'each id in the log is explained in docs/messages.md');
is(join(' ', grep { $explained{$_} > 1 } sort keys %explained), '', '... once');
is(join(' ', grep { !$places{$_} } sort keys %explained), '', '... and none that is never logged');
is(join(' ', grep { keys %{ $places{$_} } > 1 } sort keys %places), '', '... and belongs to one file');
done_testing;
