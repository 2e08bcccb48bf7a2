# Whatever the server name of the handshake and the Host header of each request, the host that answers is the one that
# answers under mod_ssl: over one connection and several, HTTP/1.0, 1.1 and 2, with absolute URLs. What is refused while it
# is read is refused as by mod_ssl, by the host of the handshake's name.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../lib";
use Test::More;
use SL::Certs;
use SL::Client;
use SL::Command qw(run scratch_dir);
use SL::Httpd;

plan skip_all => 'compares with mod_ssl, which is not built with sanitizers' if $ENV{SL_SAN};

my $cert = SL::Certs->new->server('first.test', type => 'ecdsa',
    names => [qw(first.test a.test b.test alias.test c.wild.test d.wild.test www.wild.test nobody.test)]);

# Name, more lines; in this order. www.wild.test has a host of its own before the pattern that covers it too.
my @hosts = (
    ['first.test', 'ServerAlias nothing.test'],
    ['www.wild.test'],
    ['any.wild.test', 'ServerAlias *.wild.test alias.test', 'LimitRequestLine 4000'],
    ['a.test', 'ServerAlias first.test aa.test', 'Timeout 33'],
    ['b.test', 'ServerPath /b', 'ServerAlias *.test'],
);

sub config {
    my ($httpd, @main) = @_;
    $httpd->file('docs/index.html', 'page');
    $httpd->config(join '', "Listen 127.0.0.1:\${port_https}\nProtocols h2 http/1.1\nHeader always set X-Host %{x}e\n", map({"$_\n"} @main),
        map({ my ($name, @lines) = @$_;
              "<VirtualHost *:\${port_https}>\nServerName $name\nSetEnv x $name\nSetEnvIf Host . y=$name\nRequestHeader set X-Y %{y}e\n"
              . join('', map {"$_\n"} @lines)
              . "SSLEngine on\nSSLCertificateFile $cert->{full}\nSSLCertificateKeyFile $cert->{key}\n"
              . "Header always set X-Host $name\nCustomLog \"\${root}/logs/of-$name\" \"%v %>s %r\"\n</VirtualHost>\n" } @hosts));
}

my @sni   = qw(first.test www.wild.test c.wild.test a.test b.test alias.test nobody.test);
my %serves = ('first.test' => 'first.test', 'www.wild.test' => 'www.wild.test', 'c.wild.test' => 'any.wild.test', 'a.test' => 'a.test',
    'b.test' => 'b.test', 'alias.test' => 'any.wild.test', 'nobody.test' => 'b.test');
my @named = qw(first.test FIRST.test www.wild.test www.wild.test. c.wild.test d.wild.test a.test aa.test b.test alias.test nobody.test
    127.0.0.1 none a.test:99);

# "code host" of the next answer.
sub answered {
    my ($stream) = @_;
    my $answer = $stream->response or return 'closed';
    return "$answer->{code} " . ($answer->{headers}{'x-host'} // '');
}

# All those Hosts over one connection, and over a new one where that was closed: the host that answered each.
sub over_http1 {
    my ($client, $sni) = @_;
    my $stream = $client->tls($sni);
    my %got;
    my %requests = (
        map({ ($_ => "GET / HTTP/1.1\r\nHost: $_\r\n\r\n") } @named),
        absolute => "GET http://www.wild.test/ HTTP/1.1\r\nHost: a.test\r\n\r\n",
        old      => "GET /b/ HTTP/1.0\r\nConnection: keep-alive\r\n\r\n",
    );
    for my $name (sort keys %requests) {
        $stream->send($requests{$name});
        $got{$name} = answered($stream);
        next unless $got{$name} =~ /closed|^400/;
        $stream->close;
        $stream = $client->tls($sni);
    }
    $stream->close;
    return \%got;
}

# Requests that httpd refuses while it reads them.
my %bad = (
    'an expectation' => "GET / HTTP/1.1\r\nHost: a.test\r\nExpect: wonders\r\n\r\n",
    'no Host' => "GET / HTTP/1.1\r\n\r\n",
    'two Hosts' => "GET / HTTP/1.1\r\nHost: a.test\r\nHost: b.test\r\n\r\n",
    'a bad Host' => "GET / HTTP/1.1\r\nHost: a b\r\n\r\n",
    'a strange encoding' => "GET / HTTP/1.1\r\nHost: a.test\r\nTransfer-Encoding: strange\r\n\r\n",
    'a bad method' => "G@ / HTTP/1.1\r\nHost: a.test\r\n\r\n",
);

sub bad_answers {
    my ($client, $sni) = @_;
    my %got;
    for my $what (sort keys %bad) {
        my $stream = $client->tls($sni);
        $stream->send($bad{$what});
        $got{$what} = answered($stream);
        $stream->close;
    }
    return \%got;
}

sub over_http2 {
    my ($client, $sni) = @_;
    my %got;
    for my $name (grep { !/ |:|none|\.$/ } @named) {
        my $answer = run(['curl', '-sk', '--http2', '--noproxy', '*', '--max-time', 20, '-H', "Host: $name", '--resolve', "$sni:$client->{port}:127.0.0.1",
            '-o', '/dev/null', '-D', '-', "https://$sni:$client->{port}/"])->{out};
        my ($code, $host) = ($answer =~ m{^HTTP/\S+ (\d+)}, '');
        ($host) = $answer =~ /^x-host: (\S+)/mi;
        $got{$name} = "$code " . ($host // '');
    }
    return \%got;
}

for my $main ([], ['StrictHostCheck on'], ['SSLVHostSNIPolicy strict']) {
    my $when = "@$main" || 'as it is';
    my (%seen, %logs, %refused);
    for my $tls (qw(mod_ssl securelayer)) {
        my $httpd = SL::Httpd->new(tls => $tls, modules => [qw(headers http2 env)], name => "httpd with $tls, $when");
        config($httpd, @$main);
        $httpd->start_ok or next;
        my $client = SL::Client->new(port => $httpd->port('https'));
        for my $sni (@sni) {
            $seen{$tls}{"HTTP/1.1, $sni"} = over_http1($client, $sni);
            $seen{$tls}{"HTTP/2, $sni"}   = over_http2($client, $sni);
            $refused{$tls}{$sni}          = bad_answers($client, $sni);
        }
        $httpd->stop;
        for my $host (map { $_->[0] } @hosts) {
            my $log = SL::Command::slurp($httpd->root . "/logs/of-$host");
            $logs{$tls}{$host} = [sort grep { !/ 40[08] | 417 |G@/ } split /\n/, $log];
        }
    }
    for my $case (sort keys %{ $seen{mod_ssl} }) {
        is_deeply($seen{securelayer}{$case}, $seen{mod_ssl}{$case}, "$when: $case");
    }
    for my $sni (@sni) {
        my ($ours, $theirs) = map { $refused{$_}{$sni} } qw(securelayer mod_ssl);
        is_deeply({ map { $_ => substr $ours->{$_}, 0, 3 } keys %bad }, { map { $_ => substr $theirs->{$_}, 0, 3 } keys %bad },
            "$when: $sni: what can't be read gets the same code");
        my $host = $serves{$sni};
        is(join(', ', grep { $ours->{$_} !~ / \Q$host\E$/ } sort keys %bad), $main->[0] && $main->[0] =~ /Strict/ ? join(', ', sort grep { $theirs->{$_} !~ / \Q$host\E$/ } keys %bad) : '',
            "... from the host of the handshake's name");
    }
    is_deeply($logs{securelayer}, $logs{mod_ssl}, "$when: ... and each host's log has its requests");
}
done_testing;
