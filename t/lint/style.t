# The source keeps its style: layout, short functions, features probed in one place, logging in one layer, nothing
# left unfinished.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../lib";
use Test::More;
use SL::Command qw(run slurp);
use SL::Source qw(top c_files without_comments formatted_all);

my $top = top();
my $longest = 80;

my %found;
my %formatted = formatted_all(c_files('all'));
for my $file (sort keys %formatted) {
    my $text = slurp("$top/$file");
    my $code = without_comments($text, 'strings');
    my $own  = $file =~ m{^(?:mod_securelayer|include)/};
    my $report = sub { push @{ $found{ $_[0] } }, "$file" . ($_[1] ? ":$_[1]" : '') . ($_[2] ? ": $_[2]" : '') };

    $report->('layout', 0, 'run t/format') if $formatted{$file} ne $text;
    $report->('tabs') if $text =~ /\t/;
    $report->('blanks', 0) if $text =~ /[ ]$/m;
    $report->('line ends') if $text =~ /\r/ || $text !~ /[^\n]\n\z/;
    $report->('first comment') if $own && $text !~ m{\A/\*\s?\S};
    if ($own && $file =~ m{/(\w+)/(\w+)\.h$} && $file !~ /_rows\.h$/) {
        my $guard = uc "SL_$1_$2_H";
        $report->('guard', 0, $guard) unless $text =~ /^#ifndef $guard\n#define $guard\n/m && $text =~ /^#endif\n\z/m;
    }
    my ($n, $began, $name, $signature) = (0);
    for my $line (split /\n/, $text) {
        $n++;
        $report->('unfinished', $n, $line) if $line =~ /\b(?:TODO|FIXME|XXX|HACK)\b/;
        $report->('columns', $n) if length $line > 120 && $file !~ /samples|material/;
    }
    $n = 0;
    for my $line (split /\n/, $code) {
        $n++;
        $signature = $1 if $line =~ /^\w.*?\b(\w+)\(/;
        if ($line =~ /^\{/) { ($began, $name) = ($n, $signature) }
        if ($line =~ /^\}/ && $began) {
            $report->('long', $began, "$name has @{[$n - $began - 1]} lines") if $own && $n - $began - 1 > $longest;
            $began = undef;
        }
        next unless $own;
        $report->('features', $n, $line)
            if $line =~ /^\s*#\s*(?:if|ifdef|ifndef|elif)\b.*\b(?:OPENSSL_|LIBRESSL_|HAVE_(?!CONFIG_H\b))/
            && $file !~ m{/crypto/openssl_compat\.[ch]$};
        $report->('logging', $n, $line)
            if $line =~ /\b(?:ap_log_\w*error|(?:v?f)?printf|puts|fputs|perror|syslog)\s*\(/ && $file !~ m{/httpd/};
    }
}

for my $rule (
    ['layout',        'clang-format would change nothing'],
    ['tabs',          'no tabs'],
    ['blanks',        'no blanks at the end of a line'],
    ['line ends',     'LF, with one at the end'],
    ['columns',       'at most 120 columns'],
    ['first comment', 'a file begins with a comment that says what it is'],
    ['guard',         'include guards are named after the file'],
    ['unfinished',    'nothing is marked as unfinished'],
    ['long',          "no function has more than $longest lines"],
    ['features',      "only crypto/openssl_compat asks for OpenSSL's features"],
    ['logging',       'only httpd/ logs and prints'],
) {
    my ($name, $claim) = @$rule;
    is(join("\n", @{ $found{$name} || [] }), '', $claim);
}

my $tracked = run(['git', '-C', $top, 'ls-files', '-z']);
SKIP: {
    skip 'not a git work tree', 1 if $tracked->{status};
    my @odd = grep { -f "$top/$_" && -T "$top/$_" && !m{/seeds/} && slurp("$top/$_") =~ /\r\n|[^\n]\z/ } split /\0/, $tracked->{out};
    is(join("\n", @odd), '', 'every text file has LF line ends, also the last');
}
done_testing;
