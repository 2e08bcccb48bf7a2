#!/usr/bin/perl
# The demo's page: every SSL_ variable of the request, grouped, as a web page; as plain text under /text.
# DEMO_VARIABLES names a file with the names to show, a line each: NAME GROUP. What else is in the environment is shown
# too.
use strict;
use warnings;

my @groups = (
    ['connection', 'The connection',     'What client and server agreed on.'],
    ['hello',      'Your ClientHello',   'What the client said first, before anything was encrypted.'],
    ['server',     'Server certificate', 'Who this server says it is.'],
    ['client',     'Client certificate', 'Who the client says it is, and what the server thinks of it.'],
);

sub escape {
    my ($text) = @_;
    my %entity = ('&' => '&amp;', '<' => '&lt;', '>' => '&gt;', '"' => '&quot;', "'" => '&#39;');
    $text =~ s/([&<>"'])/$entity{$1}/g;
    $text =~ s/([\x00-\x08\x0b-\x1f\x7f])/sprintf '&#xfffd;<small>%02x<\/small>', ord $1/ge;
    return $text;
}

sub group_of {
    my ($name) = @_;
    return 'hello'  if $name =~ /^SSL_(?:CLIENTHELLO_|JA[34])/;
    return 'server' if $name =~ /^SSL_SERVER_(?!SIGALG)/;
    return 'client' if $name =~ /^SSL_CLIENT_(?!SIGALG)/;
    return 'connection';
}

# Names as listed, families (NAME_n, NAME_x509) replaced by their members if there are any.
sub variables {
    my (%shown, @rows);
    my @names;
    if (open my $list, '<', $ENV{DEMO_VARIABLES} || '') {
        @names = map { /^(\S+)/ ? $1 : () } <$list>;
    }
    my @there = sort { natural($a) cmp natural($b) } grep { /^(?:SSL_|HTTPS$)/ } keys %ENV;
    for my $name (@names) {
        my @members = $name;
        if ($name =~ /^(.*)_(?:n|x509)$/) {
            my $stem = $1;
            my $more = $name =~ /_n$/ ? qr/^\Q$stem\E_\d+$/ : qr/^\Q$stem\E_(?!DN)\w+$/;
            my @found = grep { /$more/ && length $ENV{$_} } @there;
            @members = @found if @found;
        }
        for my $member (@members) {
            push @rows, [group_of($member), $member, $ENV{$member}] unless $shown{$member}++;
        }
        $shown{"$1_0"} = 1 if $name =~ /^(.*)_n$/;
    }
    push @rows, [group_of($_), $_, $ENV{$_}] for grep { !$shown{$_} } @there;
    return @rows;
}

sub natural { my ($name) = @_; $name =~ s/(\d+)/sprintf '%06d', $1/ge; return $name }

my @rows = variables();

if (($ENV{PATH_INFO} || '') =~ m{^/text}) {
    print "Content-Type: text/plain; charset=utf-8\r\nX-Content-Type-Options: nosniff\r\nCache-Control: no-store\r\n\r\n";
    for my $row (@rows) {
        my ($group, $name, $value) = @$row;
        print "$name=", defined $value ? $value =~ s/\n(?=.)/\n    /gr =~ s/\n\z//r : '', "\n";
    }
    exit;
}

my $host = escape($ENV{SERVER_NAME} || 'demo');
my $port = escape($ENV{SERVER_PORT} || '');

sub fact {
    my ($label, $value, $class) = @_;
    return '' unless defined $value && length $value;
    my $shown = escape($value) =~ s/_/_<wbr>/gr;
    return '<li' . ($class ? " class=\"$class\"" : '') . "><span>$label</span> <b>$shown</b></li>";
}

my $verify = $ENV{SSL_CLIENT_VERIFY} || '';
my $facts  = join '',
    fact('Protocol', $ENV{SSL_PROTOCOL}),
    fact('Cipher',   $ENV{SSL_CIPHER}),
    fact('Key exchange', $ENV{SSL_KEX_GROUP}),
    fact('Application',  $ENV{SSL_ALPN} || $ENV{SERVER_PROTOCOL}),
    fact('Session',      $ENV{SSL_SESSION_RESUMED}),
    fact('Handshake', length($ENV{SSL_HANDSHAKE_MS} // '') ? "$ENV{SSL_HANDSHAKE_MS} ms" : ''),
    fact('Client certificate', $verify, $verify eq 'SUCCESS' ? 'good' : $verify =~ /^FAILED/ ? 'bad' : '');

my $links = join '', map {
    my $name = "$_.localhost";
    $name eq $host ? "<a class=\"here\" aria-current=\"page\" href=\"/\">$name</a>" : "<a href=\"https://$name:$port/\">$name</a>"
} qw(one two client);

print "Content-Type: text/html; charset=utf-8\r\nCache-Control: no-store\r\nX-Content-Type-Options: nosniff\r\n",
    "Referrer-Policy: no-referrer\r\nContent-Security-Policy: default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'\r\n\r\n";

print <<"HEAD";
<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>$host - mod_securelayer</title>
<style>
:root { --page: #f4f5f7; --card: #fff; --ink: #1c2128; --dim: #626c78; --line: #e1e4e9; --accent: #0b6e4f; --soft: #e5f3ee;
        --bad: #b3261e; --code: #f7f8fa }
\@media (prefers-color-scheme: dark) {
  :root { --page: #14171b; --card: #1d2127; --ink: #e4e7eb; --dim: #959eaa; --line: #2f353d; --accent: #5fd0a6; --soft: #1d3a31;
          --bad: #ff8a80; --code: #171a1f }
}
* { box-sizing: border-box }
body { margin: 0; background: var(--page); color: var(--ink); font: 16px/1.5 system-ui, "Segoe UI", Roboto, sans-serif;
       -webkit-text-size-adjust: 100% }
main, header > div, footer { max-width: 68rem; margin: 0 auto; padding: 0 1rem }
header { background: var(--card); border-bottom: 1px solid var(--line); padding: 1.5rem 0 1.25rem }
h1 { margin: 0; font-size: 1.6rem; line-height: 1.2; overflow-wrap: anywhere }
header p { margin: .35rem 0 0; color: var(--dim) }
nav { display: flex; flex-wrap: wrap; gap: .5rem; margin: 1rem 0 0 }
nav a { padding: .35rem .8rem; border: 1px solid var(--line); border-radius: 99px; color: var(--ink); text-decoration: none; font-size: .9rem }
nav a:hover, nav a:focus-visible { border-color: var(--accent) }
nav a.here { background: var(--soft); border-color: var(--accent); color: var(--accent) }
ul.facts { list-style: none; margin: 1.25rem 0; padding: 0; display: grid; gap: .6rem;
           grid-template-columns: repeat(auto-fill, minmax(min(15.5rem, 100%), 1fr)) }
ul.facts li { background: var(--card); border: 1px solid var(--line); border-radius: .6rem; padding: .55rem .8rem }
ul.facts span { display: block; color: var(--dim); font-size: .8rem }
ul.facts b { overflow-wrap: anywhere; font-weight: 600; font-size: .95rem }
.good b { color: var(--accent) }
.bad b { color: var(--bad) }
section { background: var(--card); border: 1px solid var(--line); border-radius: .6rem; margin: 0 0 1.25rem; overflow: hidden }
section > h2 { margin: 0; padding: .9rem 1rem 0; font-size: 1.1rem }
section > p { margin: 0; padding: .1rem 1rem .8rem; color: var(--dim); font-size: .9rem }
table { width: 100%; border-collapse: collapse; table-layout: fixed }
th, td { text-align: left; vertical-align: top; padding: .4rem 1rem; border-top: 1px solid var(--line); overflow-wrap: anywhere }
th { width: 20rem; font: .82rem/1.6 ui-monospace, Menlo, Consolas, monospace; font-weight: 500; color: var(--accent) }
td { font: .85rem/1.55 ui-monospace, Menlo, Consolas, monospace }
td pre { margin: 0; font: inherit; font-size: .78rem; overflow-x: auto; max-height: 9rem; background: var(--code); padding: .5rem; border-radius: .4rem;
         white-space: pre }
tr.none th, tr.none td { color: var(--dim) }
tr.none td { font-style: italic }
footer { padding: 0 1rem 2rem; color: var(--dim); font-size: .85rem }
footer a { color: inherit }
\@media (max-width: 42rem) {
  ul.facts { grid-template-columns: repeat(auto-fill, minmax(min(10rem, 100%), 1fr)) }
  table, tbody, tr, th, td { display: block; width: 100% }
  th { padding-bottom: 0 }
  td { border-top: 0; padding-top: .1rem }
}
</style>
</head>
<body>
<header><div>
<h1>$host</h1>
<p>TLS by mod_securelayer. This page shows what the module tells a CGI script.</p>
<nav aria-label="Hosts of the demo">$links<a href="/text">as plain text</a></nav>
</div></header>
<main>
<ul class="facts">$facts</ul>
HEAD

for my $group (@groups) {
    my ($id, $title, $about) = @$group;
    my @mine = grep { $_->[0] eq $id } @rows or next;
    my $set = grep { defined $_->[2] && length $_->[2] } @mine;
    print "<section id=\"$id\"><h2>$title</h2><p>$about $set of @{[scalar @mine]} variables have a value.</p>\n<table><tbody>\n";
    for my $row (@mine) {
        my ($name, $value) = (escape($row->[1]), $row->[2]);
        if (!defined $value || !length $value) {
            print "<tr class=\"none\"><th scope=\"row\">$name</th><td>empty</td></tr>\n";
            next;
        }
        my $shown = escape($value);
        $shown = "<pre tabindex=\"0\">$shown</pre>" if $value =~ /\n./;
        print "<tr><th scope=\"row\">$name</th><td>$shown</td></tr>\n";
    }
    print "</tbody></table></section>\n";
}
print "</main>\n<footer>", escape($ENV{SSL_VERSION_INTERFACE} || ''), ' ', escape($ENV{SSL_VERSION_LIBRARY} || ''), ' ',
    escape($ENV{SERVER_SOFTWARE} || ''), "</footer>\n</body>\n</html>\n";
